import java.io.DataInputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.ResponseHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One record, one answer, then the next: the latency of a produce request with acks=all.
 * Arguments: socket|client host port topic recordBytes warmUpCount count
 * `socket` sends the request's bytes over a blocking socket and so measures the server; `client` uses the Java client.
 * Prints one line of JSON: p50 and p99 in milliseconds.
 */
public final class OneInFlight {
  private static final short VERSION = 9;

  public static void main(String[] arguments) throws Exception {
    String host = arguments[1];
    int port = Integer.parseInt(arguments[2]);
    String topic = arguments[3];
    byte[] value = new byte[Integer.parseInt(arguments[4])];
    Arrays.fill(value, (byte) 'x');
    int warmUpCount = Integer.parseInt(arguments[5]);
    long[] nanos = new long[Integer.parseInt(arguments[6])];
    Step step =
        arguments[0].equals("socket")
            ? socketStep(host, port, topic, value)
            : clientStep(host, port, topic, value);
    for (int index = 0; index < warmUpCount; index++) step.run();
    System.out.println("measuring");
    System.in.read();
    for (int index = 0; index < nanos.length; index++) {
      long start = System.nanoTime();
      step.run();
      nanos[index] = System.nanoTime() - start;
    }
    Arrays.sort(nanos);
    System.out.printf(
        "{\"p50Ms\": %.4f, \"p99Ms\": %.4f}%n",
        nanos[nanos.length / 2] / 1e6, nanos[(int) (nanos.length * 0.99)] / 1e6);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private interface Step {
    void run() throws Exception;
  }

  private static Step clientStep(String host, int port, String topic, byte[] value) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", host + ":" + port);
    properties.put("acks", "all");
    properties.put("linger.ms", "0");
    properties.put("key.serializer", ByteArraySerializer.class.getName());
    properties.put("value.serializer", ByteArraySerializer.class.getName());
    KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties);
    return () -> producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
  }

  private static Step socketStep(String host, int port, String topic, byte[] value) throws Exception {
    Socket socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress(host, port));
    OutputStream output = socket.getOutputStream();
    DataInputStream input = new DataInputStream(socket.getInputStream());
    byte[] frame = encode(topic, value);
    return () -> {
      output.write(frame);
      byte[] answer = new byte[input.readInt()];
      input.readFully(answer);
      check(ByteBuffer.wrap(answer));
    };
  }

  private static byte[] encode(String topic, byte[] value) {
    ProduceRequestData data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(30_000);
    ProduceRequestData.TopicProduceData topicData =
        new ProduceRequestData.TopicProduceData().setName(topic);
    topicData
        .partitionData()
        .add(
            new ProduceRequestData.PartitionProduceData()
                .setIndex(0)
                .setRecords(
                    MemoryRecords.withRecords(
                        Compression.NONE, new SimpleRecord(System.currentTimeMillis(), value))));
    data.topicData().add(topicData);
    ByteBuffer body =
        new ProduceRequest(data, VERSION)
            .serializeWithHeader(new RequestHeader(ApiKeys.PRODUCE, VERSION, "bench", 1));
    ByteBuffer frame = ByteBuffer.allocate(4 + body.remaining());
    frame.putInt(body.remaining()).put(body);
    return frame.array();
  }

  private static void check(ByteBuffer answer) {
    ResponseHeader.parse(answer, ApiKeys.PRODUCE.responseHeaderVersion(VERSION));
    ProduceResponse response = ProduceResponse.parse(new ByteBufferAccessor(answer), VERSION);
    response
        .errorCounts()
        .forEach(
            (error, count) -> {
              if (error != Errors.NONE) throw new IllegalStateException(error.toString());
            });
  }
}
