import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A clerk of the bank with the Java client: BOOTSTRAP CLERK. Prints the number of each transfer whose commit was answered,
 * and ends its transaction when its input ends. test/crash/bank-ledger.ts says what a transfer is.
 */
public final class BankClerk {
  private static final int ACCOUNTS = 24;
  private static final int PARTITIONS = 6;

  private static volatile boolean isStopping;

  public static void main(String[] arguments) throws Exception {
    Thread watcher =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {}
              } catch (java.io.IOException error) {
                // The input is gone: that ends it as well.
              }
              isStopping = true;
            });
    watcher.setDaemon(true);
    watcher.start();
    Random random = new Random();
    while (!isStopping) {
      try {
        work(arguments[0], Integer.parseInt(arguments[1]), random);
      } catch (Exception error) {
        System.err.println(error);
        Thread.sleep(50);
      }
    }
    Runtime.getRuntime().halt(0);
  }

  private static void work(String bootstrap, int clerk, Random random) throws Exception {
    String name = "clerk-" + clerk;
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("transactional.id", name);
    properties.put("transaction.timeout.ms", "60000");
    properties.put("max.block.ms", "20000");
    properties.put("request.timeout.ms", "5000");
    properties.put("delivery.timeout.ms", "20000");
    properties.put("linger.ms", "0");
    TopicPartition order = new TopicPartition("orders", clerk);
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
      producer.initTransactions();
      long next = findNext(bootstrap, name, order);
      while (!isStopping) {
        boolean isCommitted = random.nextDouble() < 0.85;
        producer.beginTransaction();
        long from = (next * 7 + clerk * 3L) % ACCOUNTS;
        long to = (from + 1 + next % (ACCOUNTS - 1)) % ACCOUNTS;
        long amount = 1 + next % 100;
        send(producer, clerk, next, from, -amount);
        send(producer, clerk, next, to, amount);
        producer.sendOffsetsToTransaction(
            Map.of(order, new OffsetAndMetadata(next + 1)), new ConsumerGroupMetadata(name));
        if (isCommitted) {
          producer.commitTransaction();
          System.out.println(next);
          next += 1;
        } else {
          producer.abortTransaction();
        }
      }
    }
  }

  private static void send(
      KafkaProducer<String, String> producer, int clerk, long transfer, long account, long amount) {
    String text = clerk + " " + transfer + " " + account + " " + amount;
    producer.send(new ProducerRecord<>("accounts", (int) (account % PARTITIONS), null, text));
  }

  private static long findNext(String bootstrap, String group, TopicPartition order)
      throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    try (Admin admin = Admin.create(properties)) {
      OffsetAndMetadata found =
          admin
              .listConsumerGroupOffsets(
                  group, new ListConsumerGroupOffsetsOptions().requireStable(true))
              .partitionsToOffsetAndMetadata()
              .get()
              .get(order);
      return found == null ? 0 : found.offset();
    }
  }
}
