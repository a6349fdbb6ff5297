import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Transactional producers in one process, each with its own connection, that commit one transaction after the other.
 * Arguments: bootstrap topic producers recordsPerTransaction recordBytes warmUpSeconds seconds [key=value of the producer]...
 * Prints one line of JSON: records whose commit was acknowledged within the measured time, seconds, the middle and the
 * 99th percentile of what a transaction takes from its begin to its commit, in milliseconds.
 */
public final class Transactions {
  private static volatile boolean isMeasuring;

  public static void main(String[] arguments) throws Exception {
    String topic = arguments[1];
    int producerCount = Integer.parseInt(arguments[2]);
    int recordsPerTransaction = Integer.parseInt(arguments[3]);
    int recordBytes = Integer.parseInt(arguments[4]);
    double warmUpSeconds = Double.parseDouble(arguments[5]);
    double seconds = Double.parseDouble(arguments[6]);

    byte[] value = new byte[recordBytes];
    Arrays.fill(value, (byte) 'x');
    AtomicLong committed = new AtomicLong();
    CountDownLatch ready = new CountDownLatch(producerCount);
    List<List<Long>> times = new ArrayList<>();
    for (int index = 0; index < producerCount; index++) {
      Properties properties = new Properties();
      properties.put("bootstrap.servers", arguments[0]);
      properties.put("key.serializer", ByteArraySerializer.class.getName());
      properties.put("value.serializer", ByteArraySerializer.class.getName());
      properties.put("transactional.id", "bench-" + index);
      for (String pair : Arrays.asList(arguments).subList(7, arguments.length)) {
        String[] parts = pair.split("=", 2);
        properties.put(parts[0], parts[1]);
      }
      List<Long> own = new ArrayList<>();
      times.add(own);
      Thread thread =
          new Thread(
              () -> produce(properties, topic, value, recordsPerTransaction, ready, committed, own));
      thread.setDaemon(true);
      thread.start();
    }
    ready.await();
    Thread.sleep((long) (warmUpSeconds * 1000));
    System.out.println("measuring");
    System.in.read();
    long before = committed.get();
    long startNanos = System.nanoTime();
    isMeasuring = true;
    Thread.sleep((long) (seconds * 1000));
    isMeasuring = false;
    long records = committed.get() - before;
    double measuredSeconds = (System.nanoTime() - startNanos) / 1e9;
    List<Long> all = new ArrayList<>();
    for (List<Long> own : times) {
      synchronized (own) {
        all.addAll(own);
      }
    }
    all.sort(null);
    System.out.printf(
        "{\"records\": %d, \"seconds\": %.6f, \"p50Ms\": %.3f, \"p99Ms\": %.3f}%n",
        records, measuredSeconds, percentile(all, 0.5), percentile(all, 0.99));
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static double percentile(List<Long> sorted, double part) {
    if (sorted.isEmpty()) return Double.NaN;
    return sorted.get(Math.min(sorted.size() - 1, (int) (sorted.size() * part))) / 1e6;
  }

  private static void produce(
      Properties properties,
      String topic,
      byte[] value,
      int recordsPerTransaction,
      CountDownLatch ready,
      AtomicLong committed,
      List<Long> times) {
    KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties);
    producer.initTransactions();
    ready.countDown();
    while (true) {
      long startNanos = System.nanoTime();
      producer.beginTransaction();
      for (int sent = 0; sent < recordsPerTransaction; sent++)
        producer.send(new ProducerRecord<>(topic, value));
      // Any record that failed makes the commit throw, and that ends the run.
      producer.commitTransaction();
      committed.addAndGet(recordsPerTransaction);
      if (isMeasuring) {
        synchronized (times) {
          times.add(System.nanoTime() - startNanos);
        }
      }
    }
  }
}
