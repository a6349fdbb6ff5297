import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Keyed records, and their compaction.
 * Arguments: fill|compact address topic records keys valueBytes
 * `fill` sends records with random keys to partition 0. `compact` makes the topic a compacted one, sends single records
 * for some seconds, so that a new segment begins, and waits until the size of the log is below 15 % of what it was.
 * Prints one line of JSON: seconds, and megabytes before and after.
 */
public final class Compaction {
  private static final double DONE = 0.15;

  public static void main(String[] arguments) throws Exception {
    String topic = arguments[2];
    int records = Integer.parseInt(arguments[3]);
    int keys = Integer.parseInt(arguments[4]);
    byte[] value = new byte[Integer.parseInt(arguments[5])];
    Arrays.fill(value, (byte) 'x');
    Properties properties = new Properties();
    properties.put("bootstrap.servers", arguments[1]);
    properties.put("acks", "all");
    properties.put("linger.ms", "5");
    properties.put("batch.size", "65536");
    properties.put("key.serializer", ByteArraySerializer.class.getName());
    properties.put("value.serializer", ByteArraySerializer.class.getName());
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties);
        Admin admin = Admin.create(properties)) {
      double before = megabytes(admin, topic);
      System.out.println("measuring");
      System.in.read();
      long start = System.nanoTime();
      if (arguments[0].equals("fill")) fill(producer, topic, records, keys, value);
      else compact(producer, admin, topic, value, before);
      System.out.printf(
          "{\"seconds\": %.2f, \"mbBefore\": %.1f, \"mbAfter\": %.1f}%n",
          (System.nanoTime() - start) / 1e9, before, megabytes(admin, topic));
      System.out.flush();
    }
    Runtime.getRuntime().halt(0);
  }

  private static void fill(
      KafkaProducer<byte[], byte[]> producer, String topic, int records, int keys, byte[] value) {
    Random random = new Random(1);
    for (int index = 0; index < records; index++)
      producer.send(new ProducerRecord<>(topic, 0, key(random.nextInt(keys)), value));
    producer.flush();
  }

  private static void compact(
      KafkaProducer<byte[], byte[]> producer, Admin admin, String topic, byte[] value, double before)
      throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    List<AlterConfigOp> settings =
        List.of(
            set("cleanup.policy", "compact"),
            set("min.cleanable.dirty.ratio", "0.3"),
            set("segment.ms", "1000"));
    admin.incrementalAlterConfigs(Map.of(resource, settings)).all().get();
    for (int tick = 0; megabytes(admin, topic) > before * DONE; tick++) {
      // The newest segment ends with the first record that comes when it is old.
      if (tick % 5 == 0 && tick <= 20) producer.send(new ProducerRecord<>(topic, 0, key(0), value)).get();
      Thread.sleep(200);
    }
  }

  private static byte[] key(int number) {
    return ("key-" + number).getBytes(StandardCharsets.US_ASCII);
  }

  private static AlterConfigOp set(String name, String value) {
    return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
  }

  private static double megabytes(Admin admin, String topic) throws Exception {
    Map<Integer, Map<String, LogDirDescription>> brokers =
        admin.describeLogDirs(List.of(1)).allDescriptions().get();
    TopicPartition partition = new TopicPartition(topic, 0);
    double bytes = 0;
    for (Map<String, LogDirDescription> directories : brokers.values())
      for (LogDirDescription directory : directories.values())
        if (directory.replicaInfos().containsKey(partition))
          bytes += directory.replicaInfos().get(partition).size();
    return bytes / 1e6;
  }
}
