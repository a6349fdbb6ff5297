import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sns.SnsClient;
import software.amazon.awssdk.services.sns.model.NotFoundException;
import software.amazon.awssdk.services.sns.model.PublishBatchRequestEntry;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.batchmanager.SqsAsyncBatchManager;
import software.amazon.awssdk.services.sqs.model.ChangeMessageVisibilityBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchResponse;
import software.amazon.awssdk.services.sqs.model.EmptyBatchRequestException;
import software.amazon.awssdk.services.sqs.model.InvalidAttributeNameException;
import software.amazon.awssdk.services.sqs.model.ListMessageMoveTasksResponse;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeNameForSends;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeValue;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.QueueDoesNotExistException;
import software.amazon.awssdk.services.sqs.model.ReceiptHandleIsInvalidException;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageResponse;
import software.amazon.awssdk.services.sqs.model.SqsException;

/** Checks SQS and SNS with the AWS SDK for Java 2, which verifies digests: AwsClient URL CHECK */
public final class AwsClient {
  private static final long LIMIT_MS = 60_000;

  private static SqsClient sqs;
  private static SqsAsyncClient async;
  private static SnsClient sns;

  public static void main(String[] arguments) throws Exception {
    URI endpoint = URI.create(arguments[0]);
    StaticCredentialsProvider any = StaticCredentialsProvider.create(AwsBasicCredentials.create("any", "any"));
    sqs = SqsClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(any).build();
    async = SqsAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(any).build();
    sns = SnsClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(any).build();
    switch (arguments[1]) {
      case "messages" -> messages();
      case "batches" -> batches();
      case "queues" -> queues();
      case "longpoll" -> longPoll();
      case "batchmanager" -> batchManager();
      case "concurrency" -> concurrency();
      case "receipts" -> receipts();
      case "fifo" -> fifo();
      case "deadletters" -> deadLetters();
      case "errors" -> errors();
      case "topics" -> topics();
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    System.exit(0);
  }

  private static void check(boolean condition, Object message) {
    if (!condition) throw new AssertionError(String.valueOf(message));
  }

  private static void expect(Object actual, Object expected) {
    check(expected.equals(actual), actual + " instead of " + expected);
  }

  private interface Action {
    void run();
  }

  private static <E extends Exception> E expectError(Class<E> kind, Action action) {
    try {
      action.run();
    } catch (Exception error) {
      check(kind.isInstance(error), error);
      return kind.cast(error);
    }
    throw new AssertionError(kind + " was expected");
  }

  private static String unique(String word) {
    return "java-" + word + "-" + UUID.randomUUID().toString().substring(0, 8);
  }

  private static String create(String name, Map<QueueAttributeName, String> attributes) {
    return sqs.createQueue(request -> request.queueName(name).attributes(attributes)).queueUrl();
  }

  private static String attribute(String url, QueueAttributeName name) {
    return sqs.getQueueAttributes(request -> request.queueUrl(url).attributeNames(name)).attributes().get(name);
  }

  private static List<Message> receive(String url, int count) {
    List<Message> got = new ArrayList<>();
    long end = System.currentTimeMillis() + LIMIT_MS;
    while (got.size() < count) {
      check(System.currentTimeMillis() < end, got.size() + " of " + count + " messages came");
      int wanted = Math.min(10, count - got.size());
      got.addAll(
          sqs.receiveMessage(
                  request ->
                      request
                          .queueUrl(url)
                          .maxNumberOfMessages(wanted)
                          .waitTimeSeconds(5)
                          .messageAttributeNames("All")
                          .messageSystemAttributeNames(MessageSystemAttributeName.ALL))
              .messages());
    }
    return got;
  }

  private static List<String> take(String url, int count) {
    List<String> bodies = new ArrayList<>();
    for (Message message : receive(url, count)) {
      bodies.add(message.body());
      sqs.deleteMessage(request -> request.queueUrl(url).receiptHandle(message.receiptHandle()));
    }
    return bodies;
  }

  private static void messages() {
    String url = create(unique("messages"), Map.of());
    Map<String, MessageAttributeValue> attributes =
        Map.of(
            "text", MessageAttributeValue.builder().dataType("String.kind").stringValue("täxt <&>\r\n").build(),
            "number", MessageAttributeValue.builder().dataType("Number").stringValue("-12.50").build(),
            "bytes",
                MessageAttributeValue.builder()
                    .dataType("Binary")
                    .binaryValue(SdkBytes.fromByteArray(new byte[] {0, -1, 10}))
                    .build());
    String body = "first <&> \r\n\t ü";
    SendMessageResponse sent =
        sqs.sendMessage(
            request ->
                request
                    .queueUrl(url)
                    .messageBody(body)
                    .messageAttributes(attributes)
                    .messageSystemAttributes(
                        Map.of(
                            MessageSystemAttributeNameForSends.AWS_TRACE_HEADER,
                            MessageSystemAttributeValue.builder().dataType("String").stringValue("Root=1-2-3").build())));
    Message got = receive(url, 1).get(0);
    expect(got.body(), body);
    expect(got.messageId(), sent.messageId());
    expect(got.md5OfMessageAttributes(), sent.md5OfMessageAttributes());
    expect(got.messageAttributes(), attributes);
    expect(got.attributes().get(MessageSystemAttributeName.AWS_TRACE_HEADER), "Root=1-2-3");
    sqs.changeMessageVisibility(request -> request.queueUrl(url).receiptHandle(got.receiptHandle()).visibilityTimeout(0));
    Message again = receive(url, 1).get(0);
    expect(again.attributes().get(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT), "2");
    sqs.deleteMessage(request -> request.queueUrl(url).receiptHandle(again.receiptHandle()));
    expect(attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE), "0");
  }

  private static void batches() {
    String url = create(unique("batches"), Map.of());
    List<SendMessageBatchRequestEntry> entries = new ArrayList<>();
    for (int n = 0; n < 10; n++) {
      entries.add(SendMessageBatchRequestEntry.builder().id("id" + n).messageBody("body " + n).build());
    }
    expect(sqs.sendMessageBatch(request -> request.queueUrl(url).entries(entries)).successful().size(), 10);
    List<ChangeMessageVisibilityBatchRequestEntry> changes = new ArrayList<>();
    List<DeleteMessageBatchRequestEntry> deletes = new ArrayList<>();
    for (Message message : receive(url, 10)) {
      String id = "id" + deletes.size();
      changes.add(
          ChangeMessageVisibilityBatchRequestEntry.builder()
              .id(id)
              .receiptHandle(message.receiptHandle())
              .visibilityTimeout(60)
              .build());
      String handle = deletes.size() == 4 ? "garbage" : message.receiptHandle();
      deletes.add(DeleteMessageBatchRequestEntry.builder().id(id).receiptHandle(handle).build());
    }
    expect(sqs.changeMessageVisibilityBatch(request -> request.queueUrl(url).entries(changes)).successful().size(), 10);
    DeleteMessageBatchResponse deleted = sqs.deleteMessageBatch(request -> request.queueUrl(url).entries(deletes));
    expect(deleted.successful().size(), 9);
    expect(deleted.failed().get(0).code(), "ReceiptHandleIsInvalid");
  }

  private static void queues() {
    String prefix = unique("queues");
    for (int n = 0; n < 3; n++) create(prefix + "-" + n, Map.of(QueueAttributeName.DELAY_SECONDS, "1"));
    List<String> urls = new ArrayList<>();
    sqs.listQueuesPaginator(request -> request.queueNamePrefix(prefix).maxResults(2)).queueUrls().forEach(urls::add);
    expect(urls.size(), 3);
    String url = urls.get(0);
    sqs.setQueueAttributes(
        request -> request.queueUrl(url).attributes(Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "7")));
    expect(attribute(url, QueueAttributeName.VISIBILITY_TIMEOUT), "7");
    sqs.tagQueue(request -> request.queueUrl(url).tags(Map.of("a", "1", "b", "2")));
    sqs.untagQueue(request -> request.queueUrl(url).tagKeys("a"));
    expect(sqs.listQueueTags(request -> request.queueUrl(url)).tags(), Map.of("b", "2"));
    sqs.addPermission(
        request -> request.queueUrl(url).label("them").awsAccountIds("123456789012").actions("SendMessage"));
    sqs.removePermission(request -> request.queueUrl(url).label("them"));
    sqs.purgeQueue(request -> request.queueUrl(url));
    for (String each : urls) sqs.deleteQueue(request -> request.queueUrl(each));
  }

  private static void longPoll() throws Exception {
    String url = create(unique("longpoll"), Map.of());
    CompletableFuture<List<Message>> got =
        async
            .receiveMessage(request -> request.queueUrl(url).waitTimeSeconds(20))
            .thenApply(answer -> answer.messages());
    Thread.sleep(500);
    sqs.sendMessage(request -> request.queueUrl(url).messageBody("wake up"));
    expect(got.get(LIMIT_MS, TimeUnit.MILLISECONDS).get(0).body(), "wake up");
  }

  /** The SDK gathers single requests into batches. */
  private static void batchManager() throws Exception {
    String url = create(unique("manager"), Map.of());
    try (SqsAsyncBatchManager manager = async.batchManager()) {
      List<CompletableFuture<?>> sent = new ArrayList<>();
      for (int n = 0; n < 25; n++) {
        String body = "body " + n;
        sent.add(manager.sendMessage(request -> request.queueUrl(url).messageBody(body)));
      }
      for (CompletableFuture<?> each : sent) each.get(LIMIT_MS, TimeUnit.MILLISECONDS);
    }
    expect(attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES), "25");
    try (SqsAsyncBatchManager manager = async.batchManager()) {
      Set<String> bodies = new HashSet<>();
      List<CompletableFuture<?>> deleted = new ArrayList<>();
      long end = System.currentTimeMillis() + LIMIT_MS;
      while (bodies.size() < 25) {
        check(System.currentTimeMillis() < end, bodies.size() + " of 25 messages came");
        List<Message> messages =
            manager
                .receiveMessage(request -> request.queueUrl(url).waitTimeSeconds(1))
                .get(LIMIT_MS, TimeUnit.MILLISECONDS)
                .messages();
        for (Message message : messages) {
          check(bodies.add(message.body()), message.body() + " came twice");
          String handle = message.receiptHandle();
          deleted.add(manager.deleteMessage(request -> request.queueUrl(url).receiptHandle(handle)));
        }
      }
      for (CompletableFuture<?> each : deleted) each.get(LIMIT_MS, TimeUnit.MILLISECONDS);
    }
    expect(attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE), "0");
  }

  /** Many requests of the asynchronous client at once, on connections that it shares. */
  private static void concurrency() throws Exception {
    String url = create(unique("concurrency"), Map.of());
    List<CompletableFuture<?>> running = new ArrayList<>();
    for (int n = 0; n < 200; n++) {
      String body = "body " + n;
      running.add(async.sendMessage(request -> request.queueUrl(url).messageBody(body)));
    }
    for (CompletableFuture<?> each : running) each.get(LIMIT_MS, TimeUnit.MILLISECONDS);
    running.clear();
    Set<String> bodies = ConcurrentHashMap.newKeySet();
    for (int n = 0; n < 20; n++) {
      running.add(
          async
              .receiveMessage(request -> request.queueUrl(url).maxNumberOfMessages(10).waitTimeSeconds(5))
              .thenCompose(
                  answer ->
                      CompletableFuture.allOf(
                          answer.messages().stream()
                              .map(
                                  message -> {
                                    check(bodies.add(message.body()), message.body() + " came twice");
                                    return async.deleteMessage(
                                        request -> request.queueUrl(url).receiptHandle(message.receiptHandle()));
                                  })
                              .toArray(CompletableFuture<?>[]::new))));
    }
    for (CompletableFuture<?> each : running) each.get(LIMIT_MS, TimeUnit.MILLISECONDS);
    int left = 200 - bodies.size();
    expect(attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES), String.valueOf(left));
    expect(attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE), "0");
  }

  /** Who finished late deletes with the handle that it had; not in a FIFO queue. */
  private static void receipts() {
    String url = create(unique("receipts"), Map.of());
    sqs.sendMessage(request -> request.queueUrl(url).messageBody("late"));
    List<String> handles = new ArrayList<>();
    for (int n = 0; n < 2; n++) {
      List<Message> messages = sqs.receiveMessage(request -> request.queueUrl(url).visibilityTimeout(0)).messages();
      handles.add(messages.get(0).receiptHandle());
    }
    sqs.deleteMessage(request -> request.queueUrl(url).receiptHandle(handles.get(0)));
    expect(attribute(url, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES), "0");
    String ordered = create(unique("receipts") + ".fifo", Map.of(QueueAttributeName.FIFO_QUEUE, "true"));
    sqs.sendMessage(
        request -> request.queueUrl(ordered).messageBody("late").messageGroupId("g").messageDeduplicationId("1"));
    String handle =
        sqs.receiveMessage(request -> request.queueUrl(ordered).visibilityTimeout(0)).messages().get(0).receiptHandle();
    SqsException error =
        expectError(
            SqsException.class, () -> sqs.deleteMessage(request -> request.queueUrl(ordered).receiptHandle(handle)));
    expect(error.awsErrorDetails().errorCode(), "InvalidParameterValue");
  }

  private static void fifo() {
    String url =
        create(
            unique("fifo") + ".fifo",
            Map.of(QueueAttributeName.FIFO_QUEUE, "true", QueueAttributeName.CONTENT_BASED_DEDUPLICATION, "true"));
    List<String> expected = new ArrayList<>();
    for (int n = 0; n < 10; n++) {
      String body = String.valueOf(n);
      expected.add(body);
      String first = sqs.sendMessage(request -> request.queueUrl(url).messageBody(body).messageGroupId("g")).sequenceNumber();
      expect(sqs.sendMessage(request -> request.queueUrl(url).messageBody(body).messageGroupId("g")).sequenceNumber(), first);
    }
    expect(take(url, 10), expected);
  }

  private static void deadLetters() throws Exception {
    String deadUrl = create(unique("dead"), Map.of());
    String arn = attribute(deadUrl, QueueAttributeName.QUEUE_ARN);
    String policy = "{\"deadLetterTargetArn\":\"" + arn + "\",\"maxReceiveCount\":1}";
    String url =
        create(
            unique("source"),
            Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "0", QueueAttributeName.REDRIVE_POLICY, policy));
    String id = sqs.sendMessage(request -> request.queueUrl(url).messageBody("poison")).messageId();
    receive(url, 1);
    List<Message> dead = List.of();
    long end = System.currentTimeMillis() + LIMIT_MS;
    while (dead.isEmpty()) {
      check(System.currentTimeMillis() < end, "the message did not die");
      sqs.receiveMessage(request -> request.queueUrl(url));
      dead = sqs.receiveMessage(request -> request.queueUrl(deadUrl).visibilityTimeout(0)).messages();
    }
    expect(dead.get(0).messageId(), id);
    expect(sqs.listDeadLetterSourceQueues(request -> request.queueUrl(deadUrl)).queueUrls(), List.of(url));
    sqs.setQueueAttributes(
        request -> request.queueUrl(url).attributes(Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "30")));
    sqs.startMessageMoveTask(request -> request.sourceArn(arn));
    expect(take(url, 1), List.of("poison"));
    ListMessageMoveTasksResponse tasks = sqs.listMessageMoveTasks(request -> request.sourceArn(arn));
    expect(tasks.results().get(0).sourceArn(), arn);
  }

  private static void errors() {
    String url = create(unique("errors"), Map.of());
    expectError(QueueDoesNotExistException.class, () -> sqs.getQueueUrl(request -> request.queueName(unique("none"))));
    expectError(
        ReceiptHandleIsInvalidException.class,
        () -> sqs.deleteMessage(request -> request.queueUrl(url).receiptHandle("garbage")));
    expectError(
        InvalidAttributeNameException.class,
        () -> sqs.setQueueAttributes(request -> request.queueUrl(url).attributesWithStrings(Map.of("Colour", "red"))));
    expectError(
        EmptyBatchRequestException.class,
        () -> sqs.sendMessageBatch(request -> request.queueUrl(url).entries(List.of())));
    String large = "x".repeat((1 << 20) + 1);
    SqsException error =
        expectError(SqsException.class, () -> sqs.sendMessage(request -> request.queueUrl(url).messageBody(large)));
    expect(error.awsErrorDetails().errorCode(), "InvalidParameterValue");
  }

  private static void topics() {
    String topic = sns.createTopic(request -> request.name(unique("topic"))).topicArn();
    String url = create(unique("subscribed"), Map.of());
    String endpoint = attribute(url, QueueAttributeName.QUEUE_ARN);
    String subscription =
        sns.subscribe(
                request ->
                    request
                        .topicArn(topic)
                        .protocol("sqs")
                        .endpoint(endpoint)
                        .attributes(Map.of("RawMessageDelivery", "true", "FilterPolicy", "{\"kind\":[\"new\"]}")))
            .subscriptionArn();
    for (String kind : List.of("old", "new")) {
      sns.publish(
          request ->
              request
                  .topicArn(topic)
                  .message(kind)
                  .messageAttributes(
                      Map.of(
                          "kind",
                          software.amazon.awssdk.services.sns.model.MessageAttributeValue.builder()
                              .dataType("String")
                              .stringValue(kind)
                              .build())));
    }
    expect(take(url, 1), List.of("new"));
    sns.setSubscriptionAttributes(
        request -> request.subscriptionArn(subscription).attributeName("FilterPolicy").attributeValue(""));
    List<PublishBatchRequestEntry> entries =
        List.of(
            PublishBatchRequestEntry.builder().id("a").message("1").build(),
            PublishBatchRequestEntry.builder().id("b").message("2").build());
    expect(sns.publishBatch(request -> request.topicArn(topic).publishBatchRequestEntries(entries)).successful().size(), 2);
    List<String> bodies = take(url, 2);
    Collections.sort(bodies);
    expect(bodies, List.of("1", "2"));
    sns.unsubscribe(request -> request.subscriptionArn(subscription));
    sns.deleteTopic(request -> request.topicArn(topic));
    expectError(NotFoundException.class, () -> sns.publish(request -> request.topicArn(topic).message("x")));
  }
}
