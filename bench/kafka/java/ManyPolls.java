import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * Many connections that fetch from an empty partition and wait, again and again, as idle consumers do.
 * Arguments: host port topic connections maxWaitMs
 * Says `measuring` when every connection has had an answer, and ends with its input.
 */
public final class ManyPolls {
  private static final short VERSION = 12;

  private static final class Poll {
    final ByteBuffer length = ByteBuffer.allocate(4);
    int remaining = -1;
    boolean isAnswered;
  }

  public static void main(String[] arguments) throws Exception {
    InetSocketAddress address = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
    String topic = arguments[2];
    int connections = Integer.parseInt(arguments[3]);
    ByteBuffer request = encode(arguments, topic, Integer.parseInt(arguments[4]));
    Selector selector = Selector.open();
    for (int index = 0; index < connections; index++) {
      SocketChannel channel = SocketChannel.open(address);
      channel.configureBlocking(false);
      channel.register(selector, SelectionKey.OP_READ, new Poll());
      send(channel, request);
    }
    Thread stopper =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {}
              } catch (Exception ignored) {
                // The end of the input is what is waited for.
              }
              Runtime.getRuntime().halt(0);
            });
    stopper.start();
    ByteBuffer buffer = ByteBuffer.allocate(64 * 1024);
    int answered = 0;
    while (true) {
      selector.select();
      for (SelectionKey key : selector.selectedKeys()) {
        SocketChannel channel = (SocketChannel) key.channel();
        Poll poll = (Poll) key.attachment();
        buffer.clear();
        if (channel.read(buffer) < 0) throw new IllegalStateException("a connection was closed");
        buffer.flip();
        if (!take(poll, buffer)) continue;
        send(channel, request);
        if (poll.isAnswered) continue;
        poll.isAnswered = true;
        if (++answered == connections) System.out.println("measuring");
      }
      selector.selectedKeys().clear();
    }
  }

  /** Whether an answer is complete; there is never more than one. */
  private static boolean take(Poll poll, ByteBuffer buffer) {
    while (poll.remaining < 0 && buffer.hasRemaining()) {
      poll.length.put(buffer.get());
      if (!poll.length.hasRemaining()) poll.remaining = poll.length.flip().getInt();
    }
    if (poll.remaining < 0) return false;
    poll.remaining -= buffer.remaining();
    if (poll.remaining > 0) return false;
    poll.remaining = -1;
    poll.length.clear();
    return true;
  }

  private static void send(SocketChannel channel, ByteBuffer request) throws Exception {
    ByteBuffer bytes = request.duplicate();
    while (bytes.hasRemaining()) channel.write(bytes);
  }

  private static ByteBuffer encode(String[] arguments, String topic, int maxWaitMs) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", arguments[0] + ":" + arguments[1]);
    Uuid topicId;
    try (Admin admin = Admin.create(properties)) {
      topicId = admin.describeTopics(java.util.List.of(topic)).allTopicNames().get().get(topic).topicId();
    }
    Map<TopicPartition, FetchRequest.PartitionData> data = new LinkedHashMap<>();
    data.put(
        new TopicPartition(topic, 0),
        new FetchRequest.PartitionData(topicId, 0, 0, 1 << 20, java.util.Optional.empty()));
    FetchRequest request = FetchRequest.Builder.forConsumer(VERSION, maxWaitMs, 1, data).build(VERSION);
    ByteBuffer body = request.serializeWithHeader(new RequestHeader(ApiKeys.FETCH, VERSION, "bench", 1));
    ByteBuffer frame = ByteBuffer.allocate(4 + body.remaining());
    frame.putInt(body.remaining()).put(body).flip();
    return frame;
  }
}
