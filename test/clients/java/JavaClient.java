import static org.apache.kafka.clients.consumer.ConsumerConfig.*;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Checks a broker with the Java client: JavaClient BOOTSTRAP CHECK */
public final class JavaClient {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  /** A minute ago: old enough to be told from now, too young for any topic's retention. */
  private static final long BASE_MS = System.currentTimeMillis() - 60_000;

  private static String bootstrap;

  public static void main(String[] arguments) throws Exception {
    bootstrap = arguments[0];
    switch (arguments[1]) {
      case "compression" -> compression();
      case "keys" -> keys();
      case "group" -> group("org.apache.kafka.clients.consumer.RangeAssignor");
      case "cooperative" -> group("org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
      case "commit" -> commit();
      case "admin" -> admin();
      case "time" -> time();
      case "member" -> member(arguments[2], arguments[3], arguments[4]);
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    System.exit(0);
  }

  private static void check(boolean condition, Object message) {
    if (!condition) throw new AssertionError(String.valueOf(message));
  }

  private static void waitFor(String what, BooleanSupplier isDone) throws InterruptedException {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!isDone.getAsBoolean()) {
      check(System.nanoTime() < end, "not in time: " + what);
      Thread.sleep(50);
    }
  }

  private static Admin newAdmin() {
    return Admin.create(Map.of("bootstrap.servers", bootstrap));
  }

  private static String newTopic(String name, int partitions) throws Exception {
    String topic = "java-" + name + "-" + Long.toHexString(System.nanoTime());
    try (Admin admin = newAdmin()) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }
    return topic;
  }

  private static KafkaProducer<String, String> newProducer(String... settings) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    for (int index = 0; index < settings.length; index += 2) {
      properties.put(settings[index], settings[index + 1]);
    }
    return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
  }

  private static void produce(List<ProducerRecord<String, String>> records, String... settings)
      throws Exception {
    try (KafkaProducer<String, String> producer = newProducer(settings)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (ProducerRecord<String, String> record : records) sent.add(producer.send(record));
      for (Future<RecordMetadata> future : sent) future.get();
    }
  }

  private static KafkaConsumer<String, String> newConsumer(String group, String... settings) {
    Properties properties = new Properties();
    properties.put(BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    properties.put(GROUP_ID_CONFIG, group);
    properties.put(AUTO_OFFSET_RESET_CONFIG, "earliest");
    properties.put(SESSION_TIMEOUT_MS_CONFIG, "6000");
    properties.put(HEARTBEAT_INTERVAL_MS_CONFIG, "500");
    for (int index = 0; index < settings.length; index += 2) {
      properties.put(settings[index], settings[index + 1]);
    }
    return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
  }

  private static List<ConsumerRecord<String, String>> poll(
      KafkaConsumer<String, String> consumer, int count) {
    List<ConsumerRecord<String, String>> records = new ArrayList<>();
    long end = System.nanoTime() + LIMIT.toNanos();
    while (records.size() < count) {
      check(System.nanoTime() < end, records.size() + " of " + count + " records came");
      consumer.poll(Duration.ofMillis(200)).forEach(records::add);
    }
    return records;
  }

  private static List<ConsumerRecord<String, String>> readAll(String topic, int count) {
    try (KafkaConsumer<String, String> consumer = newConsumer(topic + "-read-all")) {
      consumer.subscribe(List.of(topic));
      return poll(consumer, count);
    }
  }

  private static void compression() throws Exception {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      String topic = newTopic(codec, 1);
      List<ProducerRecord<String, String>> records = new ArrayList<>();
      for (int index = 0; index < 2000; index++) {
        records.add(new ProducerRecord<>(topic, 0, BASE_MS + index, "k" + index, ("value " + index).repeat(10)));
        records.get(index).headers().add("index", Integer.toString(index).getBytes());
      }
      produce(records, "compression.type", codec);
      List<ConsumerRecord<String, String>> read = readAll(topic, records.size());
      for (int index = 0; index < records.size(); index++) {
        ConsumerRecord<String, String> record = read.get(index);
        check(record.offset() == index, codec + ": " + record);
        check(record.value().equals(records.get(index).value()), codec + ": " + record);
        check(record.key().equals("k" + index), codec + ": " + record);
        check(record.timestamp() == BASE_MS + index, codec + ": " + record);
        String header = new String(record.headers().lastHeader("index").value());
        check(header.equals(Integer.toString(index)), codec + ": " + header);
      }
    }
  }

  private static void keys() throws Exception {
    String topic = newTopic("keys", 6);
    List<ProducerRecord<String, String>> records = new ArrayList<>();
    for (int index = 0; index < 5000; index++) {
      records.add(new ProducerRecord<>(topic, "key-" + index % 50, Integer.toString(index / 50)));
    }
    // The Java client is idempotent unless told otherwise; small batches make many sequence numbers.
    produce(records, "enable.idempotence", "true", "batch.size", "500");
    Map<String, Integer> next = new HashMap<>();
    for (ConsumerRecord<String, String> record : readAll(topic, records.size())) {
      int expected = next.merge(record.key(), 1, Integer::sum) - 1;
      check(record.value().equals(Integer.toString(expected)), record);
    }
  }

  /** Prints `assigned N` and `value V` until it is killed. */
  private static void member(String topic, String group, String assignor) {
    KafkaConsumer<String, String> consumer =
        newConsumer(group, "partition.assignment.strategy", assignor, "auto.commit.interval.ms", "200");
    ConsumerRebalanceListener listener =
        new ConsumerRebalanceListener() {
          @Override
          public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

          @Override
          public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            System.out.println("assigned " + consumer.assignment().size());
          }
        };
    consumer.subscribe(List.of(topic), listener);
    while (true) {
      for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
        System.out.println("value " + record.value());
      }
    }
  }

  private static final class Member {
    final Process process;
    final Set<String> values = ConcurrentHashMap.newKeySet();
    volatile int assigned;

    Member(String topic, String group, String assignor) throws Exception {
      String java = System.getProperty("java.home") + "/bin/java";
      process =
          new ProcessBuilder(
                  java, "-Xmx128m", "-cp", System.getProperty("java.class.path"), "JavaClient",
                  bootstrap, "member", topic, group, assignor)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      Thread reader = new Thread(this::read);
      reader.setDaemon(true);
      reader.start();
    }

    private void read() {
      new BufferedReader(new InputStreamReader(process.getInputStream()))
          .lines()
          .forEach(
              line -> {
                String[] words = line.split(" ");
                if (words[0].equals("assigned")) assigned = Integer.parseInt(words[1]);
                else if (words[0].equals("value")) values.add(words[1]);
              });
    }
  }

  private static Set<String> union(List<Member> members) {
    Set<String> all = new HashSet<>();
    for (Member member : members) all.addAll(member.values);
    return all;
  }

  private static void sendNumbered(String topic, String word) throws Exception {
    List<ProducerRecord<String, String>> records = new ArrayList<>();
    for (int index = 0; index < 600; index++) {
      records.add(new ProducerRecord<>(topic, index % 6, null, word + "-" + index));
    }
    produce(records);
  }

  private static void group(String assignor) throws Exception {
    String topic = newTopic("group", 6);
    String group = topic + "-group";
    List<Member> members = new ArrayList<>();
    try {
      for (int index = 0; index < 3; index++) members.add(new Member(topic, group, assignor));
      waitFor("two each", () -> members.stream().allMatch(member -> member.assigned == 2));
      sendNumbered(topic, "first");
      waitFor("first values", () -> union(members).size() == 600);
      members.get(0).process.destroyForcibly();
      List<Member> rest = members.subList(1, 3);
      waitFor("three each", () -> rest.stream().allMatch(member -> member.assigned == 3));
      sendNumbered(topic, "second");
      waitFor(
          "second values",
          () -> union(rest).stream().filter(value -> value.startsWith("second")).count() == 600);
    } finally {
      for (Member member : members) member.process.destroyForcibly();
    }
  }

  private static void commit() throws Exception {
    String topic = newTopic("commit", 1);
    String group = topic + "-group";
    TopicPartition partition = new TopicPartition(topic, 0);
    List<ProducerRecord<String, String>> records = new ArrayList<>();
    for (int index = 0; index < 10; index++) {
      records.add(new ProducerRecord<>(topic, Integer.toString(index)));
    }
    produce(records);
    int next = 0;
    for (int count : new int[] {4, 6}) {
      try (KafkaConsumer<String, String> consumer =
          newConsumer(group, "enable.auto.commit", "false", "max.poll.records", "1")) {
        consumer.subscribe(List.of(topic));
        for (ConsumerRecord<String, String> record : poll(consumer, count)) {
          check(record.value().equals(Integer.toString(next)), record + " instead of " + next);
          next++;
        }
        consumer.commitSync(Map.of(partition, new OffsetAndMetadata(next, "suite")));
      }
    }
    try (Admin admin = newAdmin()) {
      OffsetAndMetadata offset =
          admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition);
      check(offset.offset() == 10 && offset.metadata().equals("suite"), offset);
      admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(3))).all().get();
      admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
      Map<TopicPartition, OffsetAndMetadata> left =
          admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
      check(left.get(partition) == null, left);
    }
  }

  private static void time() throws Exception {
    String topic = newTopic("time", 1);
    TopicPartition partition = new TopicPartition(topic, 0);
    for (int index = 0; index < 10; index++) {
      produce(List.of(new ProducerRecord<>(topic, 0, BASE_MS + index * 1000, null, "v" + index)));
    }
    try (KafkaConsumer<String, String> consumer = newConsumer(topic + "-group")) {
      long offset =
          consumer.offsetsForTimes(Map.of(partition, BASE_MS + 3500)).get(partition).offset();
      check(offset == 4, offset);
      consumer.assign(List.of(partition));
      consumer.seek(partition, 7);
      check(poll(consumer, 1).get(0).value().equals("v7"), "seek");
      consumer.seekToEnd(List.of(partition));
      check(consumer.position(partition) == 10, consumer.position(partition));
    }
    try (Admin admin = newAdmin()) {
      long offset =
          admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).partitionResult(partition).get().offset();
      check(offset == 9, "the record of the newest time is at " + offset);
    }
  }

  private static void admin() throws Exception {
    String topic = newTopic("admin", 2);
    try (Admin admin = newAdmin()) {
      check(admin.listTopics().names().get().contains(topic), "not listed");
      try {
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        throw new AssertionError("created twice");
      } catch (ExecutionException error) {
        check(error.getCause() instanceof TopicExistsException, error);
      }
      admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
      int partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
      check(partitions == 4, partitions);
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      AlterConfigOp change =
          new AlterConfigOp(new ConfigEntry(TopicConfig.RETENTION_MS_CONFIG, "3600000"), AlterConfigOp.OpType.SET);
      admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
      String value =
          admin.describeConfigs(List.of(resource)).all().get().get(resource).get(TopicConfig.RETENTION_MS_CONFIG).value();
      check(value.equals("3600000"), value);
      List<ProducerRecord<String, String>> records = new ArrayList<>();
      for (int index = 0; index < 10; index++) records.add(new ProducerRecord<>(topic, 3, null, "v"));
      produce(records);
      TopicPartition partition = new TopicPartition(topic, 3);
      admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(6))).all().get();
      check(offset(admin, partition, OffsetSpec.earliest()) == 6, "earliest");
      check(offset(admin, partition, OffsetSpec.latest()) == 10, "latest");
      check(readAll(topic, 4).size() == 4, "left");
      String group = topic + "-read-all";
      check(
          admin.listGroups().all().get().stream().anyMatch(each -> each.groupId().equals(group)),
          "group not listed");
      admin.describeConsumerGroups(List.of(group)).all().get();
      admin.deleteConsumerGroups(List.of(group)).all().get();
      check(admin.describeCluster().nodes().get().size() == 1, "nodes");
      check(!admin.describeLogDirs(List.of(admin.describeCluster().controller().get().id())).allDescriptions().get().isEmpty(), "log dirs");
      admin.deleteTopics(List.of(topic)).all().get();
      waitFor(
          "deletion",
          () -> {
            try {
              return !admin.listTopics().names().get().contains(topic);
            } catch (InterruptedException | ExecutionException error) {
              throw new IllegalStateException(error);
            }
          });
    }
  }

  private static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
    return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
  }
}
