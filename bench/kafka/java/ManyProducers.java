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
 * Many producers in one process, each with its own connection, sending as fast as they are allowed for a fixed time.
 * Arguments: bootstrap topic producers recordBytes warmUpSeconds seconds [key=value of the producer]...
 * Prints one line of JSON: records acknowledged within the measured time, seconds, and how many failed.
 */
public final class ManyProducers {
  public static void main(String[] arguments) throws Exception {
    String topic = arguments[1];
    int producerCount = Integer.parseInt(arguments[2]);
    int recordBytes = Integer.parseInt(arguments[3]);
    double warmUpSeconds = Double.parseDouble(arguments[4]);
    double seconds = Double.parseDouble(arguments[5]);

    Properties properties = new Properties();
    properties.put("bootstrap.servers", arguments[0]);
    properties.put("key.serializer", ByteArraySerializer.class.getName());
    properties.put("value.serializer", ByteArraySerializer.class.getName());
    for (String pair : Arrays.asList(arguments).subList(6, arguments.length)) {
      String[] parts = pair.split("=", 2);
      properties.put(parts[0], parts[1]);
    }

    byte[] value = new byte[recordBytes];
    Arrays.fill(value, (byte) 'x');
    AtomicLong acknowledged = new AtomicLong();
    AtomicLong failed = new AtomicLong();
    CountDownLatch ready = new CountDownLatch(producerCount);
    List<Thread> threads = new ArrayList<>();
    for (int index = 0; index < producerCount; index++) {
      Thread thread = new Thread(() -> produce(properties, topic, value, ready, acknowledged, failed));
      thread.setDaemon(true);
      thread.start();
      threads.add(thread);
    }
    ready.await();
    Thread.sleep((long) (warmUpSeconds * 1000));
    System.out.println("measuring");
    System.in.read();
    long before = acknowledged.get();
    long startNanos = System.nanoTime();
    Thread.sleep((long) (seconds * 1000));
    long records = acknowledged.get() - before;
    double measuredSeconds = (System.nanoTime() - startNanos) / 1e9;
    System.out.printf(
        "{\"records\": %d, \"seconds\": %.6f, \"failed\": %d}%n",
        records, measuredSeconds, failed.get());
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static void produce(
      Properties properties,
      String topic,
      byte[] value,
      CountDownLatch ready,
      AtomicLong acknowledged,
      AtomicLong failed) {
    KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties);
    producer.partitionsFor(topic);
    ready.countDown();
    while (true) {
      producer.send(
          new ProducerRecord<>(topic, value),
          (metadata, error) -> {
            if (error == null) acknowledged.incrementAndGet();
            else failed.incrementAndGet();
          });
    }
  }
}
