import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * How long a group takes until every partition has one member and all have equally many: when all members start, when
 * one in five leaves, and when as many come.
 * Arguments: bootstrap topic protocol(classic|consumer) members partitions
 * Prints one line of JSON: milliseconds.
 */
public final class Rebalance {
  private static final long LIMIT_MS = 120_000;

  public static void main(String[] arguments) throws Exception {
    String bootstrap = arguments[0];
    String topic = arguments[1];
    String protocol = arguments[2];
    int count = Integer.parseInt(arguments[3]);
    int partitions = Integer.parseInt(arguments[4]);
    // A group of its own warms the machine and the broker up.
    run(bootstrap, topic, protocol, "warm-up", 4, partitions);
    System.out.println("measuring");
    System.in.read();
    long[] ms = run(bootstrap, topic, protocol, "measured", count, partitions);
    System.out.printf("{\"startMs\": %d, \"leaveMs\": %d, \"comeMs\": %d}%n", ms[0], ms[1], ms[2]);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static long[] run(
      String bootstrap, String topic, String protocol, String name, int count, int partitions)
      throws Exception {
    String group = topic + "-" + protocol + "-" + name;
    List<Member> members = new ArrayList<>();
    long start = System.nanoTime();
    for (int index = 0; index < count; index++) members.add(new Member(bootstrap, topic, group, protocol));
    long startMs = waitUntilShared(members, partitions, start);
    Thread.sleep(6000);
    int some = Math.max(1, count / 5);
    List<Member> leaving = new ArrayList<>(members.subList(0, some));
    members.removeAll(leaving);
    start = System.nanoTime();
    for (Member member : leaving) member.isClosing = true;
    long leaveMs = waitUntilShared(members, partitions, start);
    for (Member member : leaving) member.thread.join();
    Thread.sleep(6000);
    start = System.nanoTime();
    for (int index = 0; index < some; index++) members.add(new Member(bootstrap, topic, group, protocol));
    long comeMs = waitUntilShared(members, partitions, start);
    for (Member member : members) member.isClosing = true;
    for (Member member : members) member.thread.join();
    return new long[] {startMs, leaveMs, comeMs};
  }

  private static long waitUntilShared(List<Member> members, int partitions, long start) throws Exception {
    while (!isShared(members, partitions)) {
      Thread.sleep(5);
      if (System.nanoTime() - start > LIMIT_MS * 1_000_000L) throw new IllegalStateException("never shared");
    }
    return (System.nanoTime() - start) / 1_000_000;
  }

  private static boolean isShared(List<Member> members, int partitions) {
    Set<TopicPartition> all = new HashSet<>();
    int sum = 0;
    int most = (partitions + members.size() - 1) / members.size();
    for (Member member : members) {
      if (member.failure != null) throw new IllegalStateException(member.failure);
      Set<TopicPartition> assigned = member.assigned;
      if (assigned.size() > most) return false;
      sum += assigned.size();
      all.addAll(assigned);
    }
    return sum == partitions && all.size() == partitions;
  }

  private static final class Member {
    final Thread thread;
    volatile boolean isClosing;
    volatile Set<TopicPartition> assigned = Set.of();
    volatile Exception failure;

    Member(String bootstrap, String topic, String group, String protocol) {
      Properties properties = new Properties();
      properties.put("bootstrap.servers", bootstrap);
      properties.put("group.id", group);
      properties.put("group.protocol", protocol);
      properties.put("enable.auto.commit", "false");
      properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
      properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
      if (protocol.equals("classic")) {
        properties.put(
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
      }
      thread = new Thread(() -> poll(properties, topic));
      thread.start();
    }

    private void poll(Properties properties, String topic) {
      try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
        consumer.subscribe(List.of(topic));
        while (!isClosing) {
          consumer.poll(Duration.ofMillis(50));
          assigned = new HashSet<>(consumer.assignment());
        }
      } catch (Exception exception) {
        failure = exception;
      }
    }
  }
}
