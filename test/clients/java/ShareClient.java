import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Checks a broker's share groups with the Java client: ShareClient BOOTSTRAP CHECK */
public final class ShareClient {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private static String bootstrap;

  public static void main(String[] arguments) throws Exception {
    bootstrap = arguments[0];
    switch (arguments[1]) {
      case "implicit" -> implicit();
      case "explicit" -> explicit();
      case "many" -> many();
      case "close" -> close();
      case "transactions" -> transactions();
      case "admin" -> admin();
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    System.exit(0);
  }

  private static void check(boolean condition, Object message) {
    if (!condition) throw new AssertionError(String.valueOf(message));
  }

  private static Admin newAdmin() {
    return Admin.create(Map.of("bootstrap.servers", bootstrap));
  }

  /** A topic, and a group of its name with a suffix that begins with what is there. */
  private static String newTopic(String name, int partitions) throws Exception {
    String topic = "share-" + name + "-" + Long.toHexString(System.nanoTime());
    try (Admin admin = newAdmin()) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }
    configure(groupOf(topic), "share.auto.offset.reset", "earliest");
    return topic;
  }

  private static String groupOf(String topic) {
    return topic + "-group";
  }

  private static void configure(String group, String name, String value) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
    AlterConfigOp set =
        new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    try (Admin admin = newAdmin()) {
      admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
    }
  }

  private static KafkaProducer<String, String> newProducer(String... settings) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    for (int index = 0; index < settings.length; index += 2) {
      properties.put(settings[index], settings[index + 1]);
    }
    return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
  }

  private static void produce(String topic, int from, int count, String... settings)
      throws Exception {
    try (KafkaProducer<String, String> producer = newProducer(settings)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int index = from; index < from + count; index++) {
        sent.add(producer.send(new ProducerRecord<>(topic, String.valueOf(index), "v" + index)));
      }
      for (Future<RecordMetadata> future : sent) future.get();
    }
  }

  private static KafkaShareConsumer<String, String> newConsumer(String group, String... settings) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("group.id", group);
    for (int index = 0; index < settings.length; index += 2) {
      properties.put(settings[index], settings[index + 1]);
    }
    return new KafkaShareConsumer<>(
        properties, new StringDeserializer(), new StringDeserializer());
  }

  private static KafkaShareConsumer<String, String> newExplicit(String group) {
    return newConsumer(group, "share.acknowledgement.mode", "explicit");
  }

  private static List<ConsumerRecord<String, String>> poll(
      KafkaShareConsumer<String, String> consumer) {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      List<ConsumerRecord<String, String>> records = new ArrayList<>();
      consumer.poll(Duration.ofMillis(500)).forEach(records::add);
      if (!records.isEmpty()) return records;
      check(System.nanoTime() < end, "no record came");
    }
  }

  private static void expectNothing(KafkaShareConsumer<String, String> consumer) {
    int count = consumer.poll(Duration.ofMillis(1500)).count();
    check(count == 0, count + " records too many");
  }

  private static void commit(KafkaShareConsumer<String, String> consumer) {
    for (Map.Entry<TopicIdPartition, Optional<KafkaException>> result :
        consumer.commitSync().entrySet()) {
      check(result.getValue().isEmpty(), result);
    }
  }

  /** Every record once, with every compression, acknowledged by the next poll; the last ones by a commit. */
  private static void implicit() throws Exception {
    String topic = newTopic("implicit", 3);
    int total = 0;
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      produce(topic, total, 1000, "compression.type", codec);
      total += 1000;
    }
    Set<String> values = new TreeSet<>();
    try (KafkaShareConsumer<String, String> consumer = newConsumer(groupOf(topic))) {
      consumer.subscribe(List.of(topic));
      int count = 0;
      while (count < total) {
        for (ConsumerRecord<String, String> record : poll(consumer)) {
          check(record.value().equals("v" + record.key()), record);
          check(record.deliveryCount().equals(Optional.of((short) 1)), record);
          values.add(record.value());
          count++;
        }
      }
      check(count == total && values.size() == total, count + " records, " + values.size());
      commit(consumer);
    }
    try (KafkaShareConsumer<String, String> consumer = newConsumer(groupOf(topic))) {
      consumer.subscribe(List.of(topic));
      expectNothing(consumer);
    }
  }

  /** Accepting, releasing, rejecting and renewing single records. */
  private static void explicit() throws Exception {
    String topic = newTopic("explicit", 1);
    produce(topic, 0, 10);
    try (KafkaShareConsumer<String, String> consumer = newExplicit(groupOf(topic))) {
      consumer.subscribe(List.of(topic));
      List<ConsumerRecord<String, String>> records = poll(consumer);
      check(records.size() == 10, records.size());
      check(consumer.acquisitionLockTimeoutMs().equals(Optional.of(30_000)), "lock timeout");
      for (ConsumerRecord<String, String> record : records) {
        AcknowledgeType type =
            switch ((int) (record.offset() % 3)) {
              case 0 -> AcknowledgeType.ACCEPT;
              case 1 -> AcknowledgeType.RELEASE;
              default -> AcknowledgeType.REJECT;
            };
        consumer.acknowledge(record, type);
      }
      commit(consumer);
      short deliveries = 2;
      for (; deliveries <= 4; deliveries++) {
        records = poll(consumer);
        check(offsetsOf(records).equals(List.of(1L, 4L, 7L)), records);
        for (ConsumerRecord<String, String> record : records) {
          check(record.deliveryCount().equals(Optional.of(deliveries)), record);
          consumer.acknowledge(record, AcknowledgeType.RELEASE);
        }
        commit(consumer);
      }
      records = poll(consumer);
      check(offsetsOf(records).equals(List.of(1L, 4L, 7L)), records);
      for (ConsumerRecord<String, String> record : records) {
        boolean isFirst = record.offset() == 1;
        consumer.acknowledge(record, isFirst ? AcknowledgeType.RENEW : AcknowledgeType.RELEASE);
      }
      commit(consumer);
      // The client hands out what it has renewed once more; the others have had all their deliveries.
      records = poll(consumer);
      check(offsetsOf(records).equals(List.of(1L)), records);
      consumer.acknowledge(records.get(0), AcknowledgeType.ACCEPT);
      commit(consumer);
      expectNothing(consumer);
    }
  }

  private static List<Long> offsetsOf(List<ConsumerRecord<String, String>> records) {
    return records.stream().map(ConsumerRecord::offset).toList();
  }

  /** Several consumers share the records of one partition, and nobody's is lost or doubled. */
  private static void many() throws Exception {
    String topic = newTopic("many", 1);
    int total = 20_000;
    Map<String, Integer> seen = new ConcurrentHashMap<>();
    Map<Integer, Integer> counts = new ConcurrentHashMap<>();
    AtomicBoolean isDone = new AtomicBoolean();
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    for (int index = 0; index < 4; index++) {
      int number = index;
      Thread thread = new Thread(() -> {
        try (KafkaShareConsumer<String, String> consumer =
            newConsumer(groupOf(topic), "max.poll.records", "100")) {
          consumer.subscribe(List.of(topic));
          while (!isDone.get()) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
              seen.merge(record.value(), 1, Integer::sum);
              counts.merge(number, 1, Integer::sum);
            }
          }
        } catch (Throwable failure) {
          failures.add(failure);
        }
      });
      thread.start();
      threads.add(thread);
    }
    produce(topic, 0, total);
    long end = System.nanoTime() + LIMIT.toNanos();
    while (seen.size() < total && failures.isEmpty() && System.nanoTime() < end) Thread.sleep(50);
    isDone.set(true);
    for (Thread thread : threads) thread.join();
    check(failures.isEmpty(), failures);
    check(seen.size() == total, seen.size() + " of " + total);
    check(seen.values().stream().allMatch(count -> count == 1), "a record came twice");
    check(counts.size() == 4, "not everybody got something: " + counts);
  }

  /** What a consumer has not acknowledged goes to another one when it is closed. */
  private static void close() throws Exception {
    String topic = newTopic("close", 1);
    produce(topic, 0, 10);
    KafkaShareConsumer<String, String> first = newExplicit(groupOf(topic));
    first.subscribe(List.of(topic));
    List<ConsumerRecord<String, String>> records = poll(first);
    check(records.size() == 10, records.size());
    for (ConsumerRecord<String, String> record : records) {
      if (record.offset() < 5) first.acknowledge(record);
    }
    first.close();
    try (KafkaShareConsumer<String, String> second = newConsumer(groupOf(topic))) {
      second.subscribe(List.of(topic));
      List<Long> offsets = poll(second).stream().map(ConsumerRecord::offset).toList();
      check(offsets.equals(List.of(5L, 6L, 7L, 8L, 9L)), offsets);
    }
  }

  /** Aborted records are not delivered, in the midst of others. */
  private static void transactions() throws Exception {
    String topic = newTopic("transactions", 1);
    try (KafkaProducer<String, String> producer =
        newProducer("transactional.id", topic + "-producer")) {
      producer.initTransactions();
      for (int index = 0; index < 6; index++) {
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, String.valueOf(index), "v" + index));
        producer.flush();
        if (index % 2 == 0) producer.commitTransaction();
        else producer.abortTransaction();
      }
    }
    Set<String> values = new TreeSet<>();
    try (KafkaShareConsumer<String, String> consumer = newConsumer(groupOf(topic))) {
      consumer.subscribe(List.of(topic));
      while (values.size() < 3) for (var record : poll(consumer)) values.add(record.value());
      expectNothing(consumer);
    }
    check(values.equals(new TreeSet<>(List.of("v0", "v2", "v4"))), values);
  }

  private static void admin() throws Exception {
    String topic = newTopic("admin", 2);
    String group = groupOf(topic);
    produce(topic, 0, 100);
    try (Admin admin = newAdmin()) {
      try (KafkaShareConsumer<String, String> consumer = newConsumer(group)) {
        consumer.subscribe(List.of(topic));
        for (int count = 0; count < 100; ) count += poll(consumer).size();
        commit(consumer);
        ShareGroupDescription description =
            admin.describeShareGroups(List.of(group)).describedGroups().get(group).get();
        check(description.groupState() == GroupState.STABLE, description);
        check(description.members().size() == 1, description);
        check(
            description.members().iterator().next().assignment().topicPartitions().size() == 2,
            description);
        check(
            admin.listGroups(ListGroupsOptions.forShareGroups()).all().get().stream()
                .anyMatch(listing -> listing.groupId().equals(group)),
            "the group is not listed");
      }
      Map<TopicPartition, Long> zero =
          Map.of(new TopicPartition(topic, 0), 0L, new TopicPartition(topic, 1), 0L);
      var offsets =
          admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()))
              .partitionsToOffsetInfo(group).get();
      check(offsets.values().stream().mapToLong(info -> info.startOffset()).sum() == 100, offsets);
      check(offsets.values().stream().allMatch(info -> info.lag().orElse(-1L) == 0), offsets);
      admin.alterShareGroupOffsets(group, zero).all().get();
      try (KafkaShareConsumer<String, String> consumer = newConsumer(group)) {
        consumer.subscribe(List.of(topic));
        for (int count = 0; count < 100; ) count += poll(consumer).size();
      }
      admin.deleteShareGroupOffsets(group, Set.of(topic)).all().get();
      try (KafkaShareConsumer<String, String> consumer = newConsumer(group)) {
        consumer.subscribe(List.of(topic));
        for (int count = 0; count < 100; ) count += poll(consumer).size();
      }
      admin.deleteShareGroups(List.of(group)).all().get();
      check(
          admin.listGroups(ListGroupsOptions.forShareGroups()).all().get().stream()
              .noneMatch(listing -> listing.groupId().equals(group)),
          "the group is still listed");
    }
  }
}
