import static org.apache.kafka.clients.consumer.ConsumerConfig.*;

import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Checks consumer groups whose work the broker divides (KIP-848): GroupClient BOOTSTRAP CHECK */
public final class GroupClient {
  private static final Duration LIMIT = Duration.ofSeconds(90);

  private static String bootstrap;
  private static Admin admin;

  public static void main(String[] arguments) throws Exception {
    bootstrap = arguments[0];
    admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    switch (arguments[1]) {
      case "share" -> share("uniform");
      case "range" -> share("range");
      case "static" -> staticMember();
      case "pattern" -> pattern();
      case "grow" -> grow();
      case "migrate" -> migrate();
      case "admin" -> admin();
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    admin.close();
  }

  /** Members come and go; every record is read, and each partition has one reader. */
  private static void share(String assignor) throws Exception {
    String topic = newTopic("share", 6);
    String group = topic + "-group";
    Member a = new Member(group, Map.of(GROUP_REMOTE_ASSIGNOR_CONFIG, assignor), to(topic));
    Member b = new Member(group, Map.of(GROUP_REMOTE_ASSIGNOR_CONFIG, assignor), to(topic));
    Member c = new Member(group, Map.of(GROUP_REMOTE_ASSIGNOR_CONFIG, assignor), to(topic));
    waitFor("two each", () -> isShared(topic, 6, a, b, c));
    Set<String> first = produce(topic, "first", 600);
    waitFor("the first records", () -> union(a, b, c).containsAll(first));
    equal("read once", 600, a.count() + b.count() + c.count());
    a.close();
    waitFor("three each", () -> isShared(topic, 6, b, c));
    Set<String> second = produce(topic, "second", 600);
    waitFor("the second records", () -> union(b, c).containsAll(second));
    Member d = new Member(group, Map.of(GROUP_REMOTE_ASSIGNOR_CONFIG, assignor), to(topic));
    waitFor("two each again", () -> isShared(topic, 6, b, c, d));
    Set<String> third = produce(topic, "third", 600);
    waitFor("the third records", () -> union(b, c, d).containsAll(third));
    close(b, c, d);
  }

  /** A static member that is away for a while finds its partitions, and nobody else notices. */
  private static void staticMember() throws Exception {
    String topic = newTopic("static", 4);
    String group = topic + "-group";
    Map<String, String> one = Map.of(GROUP_INSTANCE_ID_CONFIG, "one");
    Member a = new Member(group, one, to(topic));
    Member b = new Member(group, Map.of(GROUP_INSTANCE_ID_CONFIG, "two"), to(topic));
    waitFor("two each", () -> isShared(topic, 4, a, b));
    Set<TopicPartition> before = a.assigned;
    int epoch = describe(group).groupEpoch().orElseThrow();
    a.close();
    Member again = new Member(group, one, to(topic));
    waitFor("the same partitions", () -> again.assigned.equals(before));
    equal("the epoch of the group", epoch, describe(group).groupEpoch().orElseThrow());
    Member other = new Member(group, one, to(topic));
    waitFor("the second of one instance is refused", () -> other.failure != null);
    close(b, again);
  }

  private static void pattern() throws Exception {
    String prefix = "pattern-" + UUID.randomUUID();
    String group = prefix + "-group";
    newTopicCalled(prefix + "-eu", 1);
    newTopicCalled("other-" + prefix, 1);
    SubscriptionPattern pattern = new SubscriptionPattern(prefix + "-(eu|us)");
    Member a = new Member(group, Map.of(), consumer -> consumer.subscribe(pattern));
    waitFor("the topic", () -> a.assigned.equals(Set.of(new TopicPartition(prefix + "-eu", 0))));
    newTopicCalled(prefix + "-us", 2);
    newTopicCalled(prefix + "-asia", 1);
    waitFor("the new topic", () -> a.assigned.size() == 3);
    a.close();
    SubscriptionPattern wrong = new SubscriptionPattern("(");
    Member b = new Member(group, Map.of(), consumer -> consumer.subscribe(wrong));
    waitFor("a pattern that is none is refused", () -> b.failure != null);
  }

  private static void grow() throws Exception {
    String topic = newTopic("grow", 1);
    Member a = new Member(topic + "-group", Map.of(), to(topic));
    waitFor("one partition", () -> a.assigned.size() == 1);
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
    waitFor("three partitions", () -> a.assigned.size() == 3);
    a.close();
  }

  /** Classic members, then both kinds, then none of the classic ones, and back. */
  private static void migrate() throws Exception {
    String topic = newTopic("migrate", 6);
    String group = topic + "-group";
    for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
      Map<String, String> classic =
          Map.of(
              GROUP_PROTOCOL_CONFIG, "classic",
              HEARTBEAT_INTERVAL_MS_CONFIG, "500",
              PARTITION_ASSIGNMENT_STRATEGY_CONFIG,
              "org.apache.kafka.clients.consumer." + assignor);
      Member a = new Member(group, classic, to(topic));
      Member b = new Member(group, classic, to(topic));
      waitFor("three each", () -> isShared(topic, 6, a, b));
      equal("the type", GroupType.CLASSIC, typeOf(group));
      Set<String> first = produce(topic, assignor + "-1", 300);
      waitFor("the first records", () -> union(a, b).containsAll(first));
      Member c = new Member(group, Map.of(), to(topic));
      waitFor("two each", () -> isShared(topic, 6, a, b, c));
      equal("the type of both", GroupType.CONSUMER, typeOf(group));
      long upgraded =
          describe(group).members().stream()
              .filter(member -> member.upgraded().equals(Optional.of(true)))
              .count();
      equal("upgraded members", 1L, upgraded);
      Set<String> second = produce(topic, assignor + "-2", 300);
      waitFor("the second records", () -> union(a, b, c).containsAll(second));
      a.close();
      Member d = new Member(group, Map.of(), to(topic));
      waitFor("two each again", () -> isShared(topic, 6, b, c, d));
      c.close();
      d.close();
      waitFor("all for the classic member", () -> isShared(topic, 6, b));
      equal("the type at last", GroupType.CLASSIC, typeOf(group));
      Set<String> third = produce(topic, assignor + "-3", 300);
      waitFor("the third records", () -> b.values.containsAll(third));
      b.close();
    }
  }

  private static void admin() throws Exception {
    String topic = newTopic("admin", 2);
    String group = topic + "-group";
    Member a = new Member(group, Map.of(), to(topic));
    waitFor("both partitions", () -> a.assigned.size() == 2);
    ConsumerGroupDescription description = describe(group);
    equal("state", GroupState.STABLE, description.groupState());
    equal("type", GroupType.CONSUMER, description.type());
    equal("assignor", "uniform", description.partitionAssignor());
    equal("members", 1, description.members().size());
    produce(topic, "value", 10);
    waitFor("the records", () -> a.count() == 10);
    Set<GroupType> types = Set.of(GroupType.CONSUMER);
    ListGroupsOptions options = new ListGroupsOptions().withTypes(types);
    Set<String> ids =
        admin.listGroups(options).all().get().stream()
            .map(GroupListing::groupId)
            .collect(Collectors.toSet());
    check("the group is listed", ids.contains(group));
    fails(
        GroupSubscribedToTopicException.class,
        () ->
            admin
                .deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic, 0)))
                .all()
                .get());
    fails(
        GroupNotEmptyException.class,
        () -> admin.deleteConsumerGroups(Set.of(group)).all().get());
    a.close();
    TopicPartition partition = new TopicPartition(topic, 0);
    admin
        .alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1)))
        .all()
        .get();
    long offset =
        admin
            .listConsumerGroupOffsets(group)
            .partitionsToOffsetAndMetadata()
            .get()
            .get(partition)
            .offset();
    equal("the offset", 1L, offset);
    admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
    admin.deleteConsumerGroups(Set.of(group)).all().get();
    check("the group is gone", admin.listGroups().all().get().stream().noneMatch(one -> one.groupId().equals(group)));
  }

  private static Consumer<KafkaConsumer<String, String>> to(String topic) {
    return consumer -> consumer.subscribe(List.of(topic));
  }

  /** A consumer in a thread of its own. */
  private static final class Member {
    final Set<String> values = ConcurrentHashMap.newKeySet();
    volatile Set<TopicPartition> assigned = Set.of();
    volatile int count;
    volatile Exception failure;
    private volatile boolean isClosing;
    private final Thread thread;

    Member(
        String group,
        Map<String, String> settings,
        Consumer<KafkaConsumer<String, String>> subscribe) {
      Properties properties = new Properties();
      properties.put(BOOTSTRAP_SERVERS_CONFIG, bootstrap);
      properties.put(GROUP_ID_CONFIG, group);
      properties.put(GROUP_PROTOCOL_CONFIG, "consumer");
      properties.put(AUTO_OFFSET_RESET_CONFIG, "earliest");
      properties.put(METADATA_MAX_AGE_CONFIG, "1000");
      properties.put(KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
      properties.put(VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
      properties.putAll(settings);
      thread = new Thread(() -> run(properties, subscribe));
      thread.setDaemon(true);
      thread.start();
    }

    int count() {
      return count;
    }

    void close() throws InterruptedException {
      isClosing = true;
      thread.join(LIMIT.toMillis());
    }

    private void run(Properties properties, Consumer<KafkaConsumer<String, String>> subscribe) {
      try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties)) {
        subscribe.accept(consumer);
        while (!isClosing) {
          for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
            values.add(record.value());
            count++;
          }
          assigned = new HashSet<>(consumer.assignment());
        }
      } catch (Exception exception) {
        failure = exception;
      }
      assigned = Set.of();
    }
  }

  private static boolean isShared(String topic, int partitions, Member... members) {
    Set<TopicPartition> all = new HashSet<>();
    int sum = 0;
    for (Member member : members) {
      if (member.assigned.size() != partitions / members.length) return false;
      all.addAll(member.assigned);
      sum += member.assigned.size();
    }
    return sum == partitions && all.size() == partitions;
  }

  private static Set<String> union(Member... members) {
    Set<String> all = new HashSet<>();
    for (Member member : members) all.addAll(member.values);
    return all;
  }

  private static void close(Member... members) throws InterruptedException {
    for (Member member : members) member.close();
  }

  private static ConsumerGroupDescription describe(String group) throws Exception {
    return admin.describeConsumerGroups(Set.of(group)).describedGroups().get(group).get();
  }

  private static GroupType typeOf(String group) throws Exception {
    return describe(group).type();
  }

  private static String newTopic(String name, int partitions) throws Exception {
    String topic = "groups-" + name + "-" + UUID.randomUUID();
    newTopicCalled(topic, partitions);
    return topic;
  }

  private static void newTopicCalled(String topic, int partitions) throws Exception {
    admin.createTopics(Set.of(new NewTopic(topic, partitions, (short) 1))).all().get();
  }

  private static Set<String> produce(String topic, String prefix, int count) {
    Map<String, Object> properties =
        Map.of(
            "bootstrap.servers", bootstrap,
            "key.serializer", StringSerializer.class.getName(),
            "value.serializer", StringSerializer.class.getName());
    Set<String> values = new HashSet<>();
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
      for (int index = 0; index < count; index++) {
        String value = prefix + "-" + index;
        values.add(value);
        producer.send(new ProducerRecord<>(topic, Integer.toString(index), value));
      }
    }
    return values;
  }

  private static void waitFor(String what, BooleanSupplier isDone) throws InterruptedException {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!isDone.getAsBoolean()) {
      if (System.nanoTime() > deadline) throw new AssertionError("waited in vain: " + what);
      Thread.sleep(20);
    }
  }

  private static void check(String what, boolean isTrue) {
    if (!isTrue) throw new AssertionError(what);
  }

  private static void equal(String what, Object expected, Object actual) {
    check(what + ": " + actual + " instead of " + expected, expected.equals(actual));
  }

  private interface Action {
    void run() throws Exception;
  }

  private static void fails(Class<? extends Exception> expected, Action action) throws Exception {
    try {
      action.run();
    } catch (ExecutionException exception) {
      if (expected.isInstance(exception.getCause())) return;
      throw exception;
    }
    throw new AssertionError("succeeded instead of " + expected.getSimpleName());
  }
}
