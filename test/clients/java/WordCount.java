import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Counts words with Kafka Streams, exactly once: BOOTSTRAP create|produce|work|verify NAME [COUNT...|STATE_DIRECTORY PROTOCOL]. Without
 * caches each word makes one record with its count, so that a word that is counted twice, or not, shows.
 */
public final class WordCount {
  private static final int PARTITIONS = 4;
  private static final int WORDS = 97;
  private static final Duration LIMIT = Duration.ofSeconds(120);

  private static String bootstrap;
  private static String input;
  private static String output;

  public static void main(String[] arguments) throws Exception {
    bootstrap = arguments[0];
    String name = arguments[2];
    input = name + "-words";
    output = name + "-counts";
    switch (arguments[1]) {
      case "create" -> create();
      case "produce" -> produce(Integer.parseInt(arguments[3]));
      case "work" -> work(name, arguments[3], arguments[4]);
      case "verify" -> verify(List.of(arguments).subList(3, arguments.length));
      default -> throw new IllegalArgumentException(arguments[1]);
    }
  }

  private static String word(int index) {
    return "word-" + (index * 7919L) % WORDS;
  }

  private static Properties common() {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    return properties;
  }

  private static void create() throws Exception {
    try (Admin admin = Admin.create(common())) {
      admin
          .createTopics(
              List.of(
                  new NewTopic(input, PARTITIONS, (short) 1),
                  new NewTopic(output, PARTITIONS, (short) 1)))
          .all()
          .get();
    }
  }

  private static void produce(int count) {
    Properties properties = common();
    properties.put("linger.ms", "5");
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
      // Words stand alone and two by two, without keys: to be counted they are sent through a repartition topic.
      for (int index = 0; index < count; index += 2)
        producer.send(new ProducerRecord<>(input, word(index) + " " + word(index + 1)));
    }
  }

  private static void work(String name, String stateDirectory, String protocol) throws Exception {
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(input, Consumed.with(Serdes.String(), Serdes.String()))
        .flatMapValues(line -> List.of(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
        .count()
        .toStream()
        .to(output, Produced.with(Serdes.String(), Serdes.Long()));
    Properties properties = common();
    properties.put("application.id", name);
    properties.put("state.dir", stateDirectory);
    properties.put("processing.guarantee", "exactly_once_v2");
    properties.put("commit.interval.ms", "50");
    properties.put("statestore.cache.max.bytes", "0");
    properties.put("num.stream.threads", "2");
    properties.put("consumer.auto.offset.reset", "earliest");
    properties.put("group.protocol", protocol);
    if (protocol.equals("classic")) {
      properties.put("consumer.session.timeout.ms", "6000");
      properties.put("consumer.heartbeat.interval.ms", "1000");
    }
    KafkaStreams streams = new KafkaStreams(builder.build(), properties);
    CountDownLatch failed = new CountDownLatch(1);
    streams.setStateListener(
        (next, before) -> {
          System.out.println(next);
          if (next == KafkaStreams.State.ERROR) failed.countDown();
        });
    streams.start();
    new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {}
              } catch (java.io.IOException error) {
                // The input is gone: that ends it as well.
              }
              streams.close(Duration.ofSeconds(30));
              Runtime.getRuntime().halt(0);
            })
        .start();
    failed.await();
    Runtime.getRuntime().halt(1);
  }

  /** `counts`: of what was produced, time after time. */
  private static void verify(List<String> counts) {
    Map<String, Long> expected = new HashMap<>();
    for (String count : counts) {
      for (int index = 0; index < Integer.parseInt(count); index++)
        expected.merge(word(index), 1L, Long::sum);
    }
    Map<String, Long> seen = new HashMap<>();
    Properties properties = common();
    properties.put("isolation.level", "read_committed");
    properties.put("auto.offset.reset", "earliest");
    try (KafkaConsumer<String, Long> consumer =
        new KafkaConsumer<>(properties, new StringDeserializer(), new LongDeserializer())) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (int index = 0; index < PARTITIONS; index++)
        partitions.add(new TopicPartition(output, index));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (!seen.equals(expected)) {
        if (System.nanoTime() > deadline)
          throw new AssertionError("expected " + expected + ", counted " + seen);
        for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) {
          long before = seen.getOrDefault(record.key(), 0L);
          if (record.value() != before + 1)
            throw new AssertionError(record.key() + ": " + record.value() + " after " + before);
          seen.put(record.key(), record.value());
        }
      }
    }
    System.out.println("counted " + seen.values().stream().mapToLong(Long::longValue).sum());
  }
}
