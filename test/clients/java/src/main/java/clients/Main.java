// The Java SDK v2, unpatched, endpoint from AWS_ENDPOINT_URL. Ids are those of ../scenarios.md.
// Prints "ok - name" or "not ok - name: reason" for each scenario; exit status 1 when one failed.
package clients;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.*;
import software.amazon.awssdk.services.sts.StsClient;

public final class Main {
    private static final String ACCOUNT = "000000000000";
    private static final String OTHER = "111122223333";
    private static final int MIB = 1048576;
    private static final int LONG_POLL_S = 10;
    private static final long WOKEN_BEFORE_MS = 8000;
    private static final URI ENDPOINT = URI.create(System.getenv("AWS_ENDPOINT_URL"));
    private static final Map<QueueAttributeName, String> FIFO =
        Map.of(QueueAttributeName.FIFO_QUEUE, "true", QueueAttributeName.CONTENT_BASED_DEDUPLICATION, "true");

    private static final SqsClient sqs = client("test", "test");
    private static final SqsClient other = client(OTHER, "test");
    private static int passed;
    private static int failed;

    private interface Scenario {
        void run() throws Exception;
    }

    private interface QueueScenario {
        void run(String url, String name) throws Exception;
    }

    private interface PairScenario {
        void run(String source, String dead) throws Exception;
    }

    // ---- helpers -----------------------------------------------------------

    private static StaticCredentialsProvider credentials(String key, String secret) {
        return StaticCredentialsProvider.create(AwsBasicCredentials.create(key, secret));
    }

    private static SqsClient client(String key, String secret) {
        return SqsClient.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).credentialsProvider(credentials(key, secret))
            .overrideConfiguration(c -> c.retryStrategy(r -> r.maxAttempts(1))).build();
    }

    private static void test(String name, Scenario scenario) {
        try {
            scenario.run();
            passed++;
            System.out.println("ok - " + name);
        } catch (Throwable problem) {
            failed++;
            System.out.println("not ok - " + name + ": " + problem);
        }
    }

    private static void check(boolean isTrue, Object found) {
        if (!isTrue) {
            throw new AssertionError(String.valueOf(found));
        }
    }

    private static void equal(Object expected, Object found) {
        check(Objects.equals(expected, found), "expected " + expected + ", found " + found);
    }

    private static String freshName() {
        return "java-" + UUID.randomUUID().toString().substring(0, 18);
    }

    private static void withQueue(Map<QueueAttributeName, String> attributes, QueueScenario body) throws Exception {
        String name = freshName() + (attributes.containsKey(QueueAttributeName.FIFO_QUEUE) ? ".fifo" : "");
        String url = sqs.createQueue(r -> r.queueName(name).attributes(attributes)).queueUrl();
        try {
            body.run(url, name);
        } finally {
            sqs.deleteQueue(r -> r.queueUrl(url));
        }
    }

    private static void withDeadLetters(PairScenario body) throws Exception {
        withQueue(Map.of(), (dead, d) -> withQueue(
            Map.of(QueueAttributeName.REDRIVE_POLICY, "{\"deadLetterTargetArn\":\"" + arnOf(dead) + "\",\"maxReceiveCount\":1}"),
            (source, s) -> body.run(source, dead)));
    }

    private static String attribute(String url, QueueAttributeName name) {
        return sqs.getQueueAttributes(r -> r.queueUrl(url).attributeNames(name)).attributes().get(name);
    }

    private static String arnOf(String url) {
        return attribute(url, QueueAttributeName.QUEUE_ARN);
    }

    private static List<Message> receive(String url, int count, Consumer<ReceiveMessageRequest.Builder> options) {
        return sqs.receiveMessage(r -> {
            r.queueUrl(url).maxNumberOfMessages(count);
            options.accept(r);
        }).messages();
    }

    private static List<Message> receive(String url, int count) {
        return receive(url, count, r -> { });
    }

    private static List<Message> receiveAll(String url, int expected, Consumer<ReceiveMessageRequest.Builder> options) {
        List<Message> found = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 8000;
        while (found.size() < expected && System.currentTimeMillis() < deadline) {
            found.addAll(receive(url, 10, r -> options.accept(r.waitTimeSeconds(1))));
        }
        equal(expected, found.size());
        return found;
    }

    private static List<Message> receiveAll(String url, int expected) {
        return receiveAll(url, expected, r -> { });
    }

    private static List<String> bodies(List<Message> messages) {
        return messages.stream().map(Message::body).collect(Collectors.toList());
    }

    private static SendMessageResponse send(String url, String body) {
        return sqs.sendMessage(r -> r.queueUrl(url).messageBody(body));
    }

    private static SendMessageResponse sendFifo(String url, String body, String group, String id) {
        return sqs.sendMessage(r -> r.queueUrl(url).messageBody(body).messageGroupId(group).messageDeduplicationId(id));
    }

    private static void delete(String url, Message message) {
        sqs.deleteMessage(r -> r.queueUrl(url).receiptHandle(message.receiptHandle()));
    }

    private static void bury(String source, String dead, String... texts) throws Exception {
        for (String text : texts) {
            send(source, text);
        }
        for (Message message : receiveAll(source, texts.length)) {
            sqs.changeMessageVisibility(r -> r.queueUrl(source).receiptHandle(message.receiptHandle()).visibilityTimeout(0));
        }
        equal(0, receive(source, 10).size());
        eventually(() -> String.valueOf(texts.length).equals(attribute(dead, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES)));
    }

    private static void eventually(Supplier<Boolean> probe) throws Exception {
        long deadline = System.currentTimeMillis() + 8000;
        while (!probe.get()) {
            check(System.currentTimeMillis() < deadline, "did not come true");
            Thread.sleep(50);
        }
    }

    private static AwsServiceException refused(Class<? extends AwsServiceException> kind, String text, Scenario call) throws Exception {
        try {
            call.run();
        } catch (AwsServiceException error) {
            check(kind == error.getClass() || kind == SqsException.class, error.getClass() + ": " + error.getMessage());
            check(text == null || error.awsErrorDetails().errorMessage().contains(text), error.getMessage());
            check(error.statusCode() >= 400 && error.statusCode() < 500, error.statusCode());
            return error;
        }
        throw new AssertionError("not refused; expected " + kind.getSimpleName());
    }

    private static void refusedCode(List<String> codes, Scenario call) throws Exception {
        String code = refused(SqsException.class, null, call).awsErrorDetails().errorCode();
        check(codes.contains(code), code);
    }

    private static String md5(String text) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static SendMessageBatchRequestEntry entry(String id, String body) {
        return SendMessageBatchRequestEntry.builder().id(id).messageBody(body).build();
    }

    private static void sendIds(String url, String... ids) {
        List<SendMessageBatchRequestEntry> entries = List.of(ids).stream().map(id -> entry(id, "b")).toList();
        sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entries));
    }

    private static MessageAttributeValue text(String kind, String value) {
        return MessageAttributeValue.builder().dataType(kind).stringValue(value).build();
    }

    private static MessageAttributeValue bytes(String kind, int... values) {
        byte[] raw = new byte[values.length];
        IntStream.range(0, values.length).forEach(index -> raw[index] = (byte) values[index]);
        return MessageAttributeValue.builder().dataType(kind).binaryValue(SdkBytes.fromByteArray(raw)).build();
    }

    // ---- scenarios ---------------------------------------------------------

    private static void queues() {
        test("Q01 create, use at once", () -> withQueue(Map.of(), (url, name) -> {
            check(url.startsWith(ENDPOINT + "/") && url.endsWith("/" + ACCOUNT + "/" + name), url);
            send(url, "first");
            equal(List.of("first"), bodies(receiveAll(url, 1)));
        }));
        test("Q02 create again", () -> withQueue(Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "17"), (url, name) ->
            equal(url, sqs.createQueue(r -> r.queueName(name)).queueUrl())));
        test("Q03 create with another value", () -> withQueue(Map.of(), (url, name) ->
            refused(QueueNameExistsException.class, "DelaySeconds", () ->
                sqs.createQueue(r -> r.queueName(name).attributes(Map.of(QueueAttributeName.DELAY_SECONDS, "1"))))));
        test("Q08 list in pages", () -> {
            String prefix = freshName();
            List<String> urls = IntStream.range(0, 3).mapToObj(i -> sqs.createQueue(r -> r.queueName(prefix + "-" + i)).queueUrl()).toList();
            List<List<String>> pages = sqs.listQueuesPaginator(r -> r.queueNamePrefix(prefix).maxResults(2)).stream()
                .map(ListQueuesResponse::queueUrls).toList();
            equal(List.of(2, 1), pages.stream().map(List::size).toList());
            equal(urls.stream().sorted().toList(), pages.stream().flatMap(List::stream).sorted().toList());
            urls.forEach(url -> sqs.deleteQueue(r -> r.queueUrl(url)));
        });
        test("Q10 unknown attribute name", () -> withQueue(Map.of(), (url, name) ->
            refused(InvalidAttributeNameException.class, "Unknown Attribute Colour.", () ->
                sqs.getQueueAttributes(r -> r.queueUrl(url).attributeNamesWithStrings("Colour")))));
        test("Q11 set attributes", () -> withQueue(Map.of(), (url, name) -> {
            sqs.setQueueAttributes(r -> r.queueUrl(url).attributes(Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "43200")));
            equal("43200", attribute(url, QueueAttributeName.VISIBILITY_TIMEOUT));
            refused(InvalidAttributeValueException.class, "DelaySeconds", () ->
                sqs.setQueueAttributes(r -> r.queueUrl(url).attributes(Map.of(QueueAttributeName.DELAY_SECONDS, "901"))));
        }));
        test("Q15 policy verbatim", () -> withQueue(Map.of(), (url, name) -> {
            String policy = "{ \"Version\":\"2012-10-17\",\n \"Id\" : \"x\", \"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\","
                + "\"Action\":\"sqs:SendMessage\",\"Resource\":\"" + arnOf(url) + "\"}]}";
            sqs.setQueueAttributes(r -> r.queueUrl(url).attributes(Map.of(QueueAttributeName.POLICY, policy)));
            equal(policy, attribute(url, QueueAttributeName.POLICY));
        }));
        test("Q18 purge", () -> withQueue(Map.of(), (url, name) -> {
            send(url, "b");
            sqs.purgeQueue(r -> r.queueUrl(url));
            equal(0, receive(url, 10).size());
        }));
        test("Q19 tags", () -> withQueue(Map.of(), (url, name) -> {
            sqs.tagQueue(r -> r.queueUrl(url).tags(Map.of("team", "red", "ü", "")));
            equal(Map.of("team", "red", "ü", ""), sqs.listQueueTags(r -> r.queueUrl(url)).tags());
            sqs.untagQueue(r -> r.queueUrl(url).tagKeys("team", "never"));
            equal(Map.of("ü", ""), sqs.listQueueTags(r -> r.queueUrl(url)).tags());
        }));
        test("Q21 missing queue", () -> {
            refused(QueueDoesNotExistException.class, "The specified queue does not exist.", () ->
                send(ENDPOINT + "/" + ACCOUNT + "/" + freshName(), "b"));
            refused(QueueDoesNotExistException.class, null, () -> sqs.getQueueUrl(r -> r.queueName(freshName())));
        });
    }

    private static void messages() {
        test("M01 send, receive, delete", () -> withQueue(Map.of(), (url, name) -> {
            SendMessageResponse sent = send(url, "hello");
            equal(md5("hello"), sent.md5OfMessageBody());
            Message message = receiveAll(url, 1, r -> r.messageSystemAttributeNames(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT)).get(0);
            equal(sent.messageId(), message.messageId());
            equal("hello", message.body());
            equal(Map.of(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT, "1"), message.attributes());
            delete(url, message);
            equal(0, receive(url, 10).size());
        }));
        test("M03 message attributes of all types", () -> withQueue(Map.of(), (url, name) -> {
            Map<String, MessageAttributeValue> attributes = Map.of(
                "text", text("String", "v & <ü>"), "number", text("Number", "-1.5"), "bytes", bytes("Binary", 0, 1, 255),
                "label", text("String.colour", "red"), "picture", bytes("Binary.png", 137));
            SendMessageResponse sent = sqs.sendMessage(r -> r.queueUrl(url).messageBody("b").messageAttributes(attributes));
            Message message = receiveAll(url, 1, r -> r.messageAttributeNames("All")).get(0);
            equal(attributes, message.messageAttributes());
            equal(sent.md5OfMessageAttributes(), message.md5OfMessageAttributes());
            equal("235c5c510d26fb653d073faed50ae77c", sqs.sendMessage(r -> r.queueUrl(url).messageBody("b")
                .messageAttributes(Map.of("timestamp", text("Number", "1493147359900")))).md5OfMessageAttributes());
        }));
        test("M06 trace header", () -> withQueue(Map.of(), (url, name) -> {
            String trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
            MessageSystemAttributeValue value = MessageSystemAttributeValue.builder().dataType("String").stringValue(trace).build();
            check(sqs.sendMessage(r -> r.queueUrl(url).messageBody("b").messageSystemAttributes(
                Map.of(MessageSystemAttributeNameForSends.AWS_TRACE_HEADER, value))).md5OfMessageSystemAttributes() != null, "no checksum");
            equal(Map.of(MessageSystemAttributeName.AWS_TRACE_HEADER, trace),
                receiveAll(url, 1, r -> r.messageSystemAttributeNames(MessageSystemAttributeName.AWS_TRACE_HEADER)).get(0).attributes());
        }));
        test("M07 bodies", () -> withQueue(Map.of(), (url, name) -> {
            for (String body : List.of("ü€\uD834\uDD1E漢字", "<a href=\"b\">&amp;'</a>", "tab\tcr\rlf\n", "\\u0041")) {
                send(url, body);
                Message message = receiveAll(url, 1).get(0);
                equal(body, message.body());
                delete(url, message);
            }
            refused(InvalidMessageContentsException.class, null, () -> send(url, "a\u0000"));
        }));
        test("M08 one mebibyte", () -> withQueue(Map.of(), (url, name) -> {
            String body = "0123456789abcdef".repeat(MIB / 16);
            send(url, body);
            equal(body, receiveAll(url, 1).get(0).body());
            refused(SqsException.class, "Message must be shorter than 1048576 bytes.", () -> send(url, body + "a"));
        }));
        test("L02 a send wakes a wait", () -> withQueue(Map.of(), (url, name) -> {
            long start = System.currentTimeMillis();
            CompletableFuture<List<Message>> waiting = CompletableFuture.supplyAsync(() -> receive(url, 1, r -> r.waitTimeSeconds(LONG_POLL_S)));
            Thread.sleep(400);
            send(url, "wake");
            equal(List.of("wake"), bodies(waiting.get()));
            check(System.currentTimeMillis() - start < WOKEN_BEFORE_MS, "not woken");
        }));
        test("L03 a delay ends a wait", () -> withQueue(Map.of(), (url, name) -> {
            long start = System.currentTimeMillis();
            sqs.sendMessage(r -> r.queueUrl(url).messageBody("late").delaySeconds(1));
            equal(List.of("late"), bodies(receive(url, 1, r -> r.waitTimeSeconds(LONG_POLL_S))));
            check(System.currentTimeMillis() - start < WOKEN_BEFORE_MS, "not woken");
        }));
        test("V03 change visibility to zero", () -> withQueue(Map.of(), (url, name) -> {
            send(url, "b");
            Message message = receiveAll(url, 1).get(0);
            sqs.changeMessageVisibility(r -> r.queueUrl(url).receiptHandle(message.receiptHandle()).visibilityTimeout(0));
            equal(1, receive(url, 10).size());
        }));
        test("V05 a garbage handle", () -> withQueue(Map.of(), (url, name) ->
            refused(ReceiptHandleIsInvalidException.class, "\"garbage\" is not a valid receipt handle", () ->
                sqs.deleteMessage(r -> r.queueUrl(url).receiptHandle("garbage")))));
        test("D01 delete twice", () -> withQueue(Map.of(), (url, name) -> {
            send(url, "b");
            Message message = receiveAll(url, 1).get(0);
            delete(url, message);
            delete(url, message);
        }));
    }

    private static void batches() {
        test("B01 send a batch", () -> withQueue(Map.of(), (url, name) -> {
            SendMessageBatchResponse reply = sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entry("a", "a"), entry("b", "b")));
            equal(List.of("a", "b"), reply.successful().stream().map(SendMessageBatchResultEntry::id).toList());
            equal(0, reply.failed().size());
            equal(2, receiveAll(url, 2).size());
        }));
        test("B02 one bad entry", () -> withQueue(Map.of(QueueAttributeName.MAXIMUM_MESSAGE_SIZE, "1024"), (url, name) -> {
            SendMessageBatchResponse reply = sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entry("good", "a"), entry("bad", "a".repeat(1025))));
            equal(List.of("good"), reply.successful().stream().map(SendMessageBatchResultEntry::id).toList());
            equal(1, reply.failed().size());
            BatchResultErrorEntry failure = reply.failed().get(0);
            equal(List.of("bad", "InvalidParameterValue", true), List.of(failure.id(), failure.code(), failure.senderFault()));
        }));
        test("B03 bad batches", () -> withQueue(Map.of(), (url, name) -> {
            refused(EmptyBatchRequestException.class, null, () -> sendIds(url));
            refused(TooManyEntriesInBatchRequestException.class, "You have sent 11.", () ->
                sendIds(url, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"));
            refused(BatchEntryIdsNotDistinctException.class, "Id a repeated.", () -> sendIds(url, "a", "a"));
            refused(InvalidBatchEntryIdException.class, null, () -> sendIds(url, "a:b"));
        }));
        test("B04 a batch too long", () -> withQueue(Map.of(), (url, name) -> {
            String half = "a".repeat(MIB / 2);
            refused(BatchRequestTooLongException.class, "You have sent 1048577 bytes.", () ->
                sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entry("1", half), entry("2", half + "a"))));
        }));
    }

    private static void fifo() {
        test("F01 order", () -> withQueue(FIFO, (url, name) -> {
            List<String> numbers = List.of("1", "2", "3").stream().map(body -> sendFifo(url, body, "g", null).sequenceNumber()).toList();
            equal(numbers.stream().sorted().toList(), numbers);
            equal(List.of("1", "2", "3"), bodies(receive(url, 10)));
        }));
        test("F02 group lock", () -> withQueue(FIFO, (url, name) -> {
            sendFifo(url, "a1", "a", null);
            sendFifo(url, "a2", "a", null);
            sendFifo(url, "b1", "b", null);
            List<Message> first = receive(url, 1);
            equal(List.of("a1"), bodies(first));
            equal(List.of("b1"), bodies(receive(url, 10)));
            delete(url, first.get(0));
            equal(List.of("a2"), bodies(receive(url, 10)));
        }));
        test("F03 batch order", () -> withQueue(FIFO, (url, name) -> {
            List<String> ids = IntStream.range(0, 10).mapToObj(Integer::toString).toList();
            sqs.sendMessageBatch(r -> r.queueUrl(url).entries(ids.stream().map(id -> entry(id, id).toBuilder().messageGroupId("g").build()).toList()));
            equal(ids, bodies(receive(url, 10)));
        }));
        test("F04 explicit deduplication", () -> withQueue(Map.of(QueueAttributeName.FIFO_QUEUE, "true"), (url, name) -> {
            SendMessageResponse first = sendFifo(url, "one", "g", "d");
            SendMessageResponse second = sendFifo(url, "two", "g", "d");
            equal(first.messageId(), second.messageId());
            equal(first.sequenceNumber(), second.sequenceNumber());
            equal(List.of("one"), bodies(receive(url, 10)));
        }));
        test("F05 and F06 content-based deduplication outlives the message", () -> withQueue(FIFO, (url, name) -> {
            String first = sendFifo(url, "same", "g", null).messageId();
            delete(url, receiveAll(url, 1).get(0));
            equal(first, sendFifo(url, "same", "g", null).messageId());
            equal(0, receive(url, 10).size());
        }));
        test("F10 the same attempt", () -> withQueue(FIFO, (url, name) -> {
            sendFifo(url, "1", "g", null);
            List<Message> first = receive(url, 1, r -> r.receiveRequestAttemptId("try"));
            equal(1, first.size());
            equal(first, receive(url, 1, r -> r.receiveRequestAttemptId("try")));
        }));
    }

    private static void deadLetters() {
        test("R01 and R05 dead letters", () -> withDeadLetters((source, dead) -> {
            equal(List.of(source), sqs.listDeadLetterSourceQueues(r -> r.queueUrl(dead)).queueUrls());
            bury(source, dead, "poison");
            equal(Map.of(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT, "2",
                    MessageSystemAttributeName.DEAD_LETTER_QUEUE_SOURCE_ARN, arnOf(source)),
                receiveAll(dead, 1, r -> r.messageSystemAttributeNames(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT,
                    MessageSystemAttributeName.DEAD_LETTER_QUEUE_SOURCE_ARN)).get(0).attributes());
        }));
        test("R07 move task", () -> withDeadLetters((source, dead) -> {
            bury(source, dead, "a", "b");
            String arn = arnOf(dead);
            sqs.startMessageMoveTask(r -> r.sourceArn(arn));
            eventually(() -> sqs.listMessageMoveTasks(r -> r.sourceArn(arn)).results().stream()
                .anyMatch(task -> "COMPLETED".equals(task.status()) && task.approximateNumberOfMessagesMoved() == 2));
            equal(List.of("a", "b"), bodies(receiveAll(source, 2)).stream().sorted().toList());
        }));
        test("R09 and R10 cancel", () -> withDeadLetters((source, dead) -> {
            bury(source, dead, "1", "2", "3", "4");
            String arn = arnOf(dead);
            String handle = sqs.startMessageMoveTask(r -> r.sourceArn(arn).maxNumberOfMessagesPerSecond(1)).taskHandle();
            check(sqs.cancelMessageMoveTask(r -> r.taskHandle(handle)).approximateNumberOfMessagesMoved() < 4, "all were moved");
            refused(ResourceNotFoundException.class, "SourceArn", () -> sqs.startMessageMoveTask(r -> r.sourceArn(arn + "-not")));
        }));
    }

    private static void access() {
        test("A01 and A02 two accounts", () -> withQueue(Map.of(), (url, name) -> {
            String theirs = other.createQueue(r -> r.queueName(name)).queueUrl();
            check(theirs.endsWith("/" + OTHER + "/" + name), theirs);
            other.deleteQueue(r -> r.queueUrl(theirs));
            Scenario send = () -> other.sendMessage(r -> r.queueUrl(url).messageBody("b"));
            List<String> denied = List.of("AccessDenied", "AccessDeniedException");
            refusedCode(denied, send);
            sqs.addPermission(r -> r.queueUrl(url).label("let").awsAccountIds(OTHER).actions("SendMessage"));
            send.run();
            sqs.removePermission(r -> r.queueUrl(url).label("let"));
            refusedCode(denied, send);
        }));
        test("A03 refused credentials", () -> {
            refusedCode(List.of("InvalidSignatureException", "SignatureDoesNotMatch"), () -> client("test", "not the secret").listQueues());
            refusedCode(List.of("UnrecognizedClientException", "InvalidClientTokenId"), () -> client("NOSUCHKEY", "test").listQueues());
        });
        test("A04 who am I", () -> {
            try (StsClient sts = StsClient.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1)
                    .credentialsProvider(credentials(OTHER, "test")).build()) {
                equal(OTHER, sts.getCallerIdentity().account());
            }
        });
    }

    public static void main(String[] arguments) {
        queues();
        messages();
        batches();
        fifo();
        deadLetters();
        access();
        System.out.println("# pass " + passed);
        System.out.println("# fail " + failed);
        System.exit(failed == 0 ? 0 : 1);
    }
}
