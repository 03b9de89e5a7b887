// The JavaScript SDK v3, unpatched, endpoint from AWS_ENDPOINT_URL. Ids are those of ../scenarios.md.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as api from "@aws-sdk/client-sqs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const endpoint = process.env.AWS_ENDPOINT_URL;
const region = "us-east-1";
const ACCOUNT = "000000000000";
const OTHER = "111122223333";
const MIB = 1048576;
const LONG_POLL_S = 10;
const WOKEN_BEFORE_MS = 8000;

const client = (accessKeyId = "test", secretAccessKey = "test") =>
  new api.SQS({ region, endpoint, maxAttempts: 1, credentials: { accessKeyId, secretAccessKey } });
const sqs = client();
const other = client(OTHER);
const md5 = (text) => createHash("md5").update(text).digest("hex");
const freshName = () => "js-" + randomUUID().slice(0, 18);

async function withQueue(attributes, body) {
  const name = freshName() + (attributes.FifoQueue ? ".fifo" : "");
  const { QueueUrl } = await sqs.createQueue({ QueueName: name, Attributes: attributes });
  try {
    return await body(QueueUrl, name);
  } finally {
    await sqs.deleteQueue({ QueueUrl }).catch(() => {});
  }
}

const FIFO = { FifoQueue: "true", ContentBasedDeduplication: "true" };
const receive = async (QueueUrl, count = 10, options = {}) =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: count, ...options })).Messages ?? [];
const bodies = (messages) => messages.map((message) => message.Body);
const arnOf = async (QueueUrl) =>
  (await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["QueueArn"] })).Attributes.QueueArn;
const remove = (QueueUrl, message) => sqs.deleteMessage({ QueueUrl, ReceiptHandle: message.ReceiptHandle });

async function receiveAll(QueueUrl, expected, options = {}) {
  const found = [];
  const deadline = Date.now() + 8000;
  while (found.length < expected && Date.now() < deadline) {
    found.push(...(await receive(QueueUrl, 10, { WaitTimeSeconds: 1, ...options })));
  }
  assert.equal(found.length, expected);
  return found;
}

async function eventually(probe) {
  const deadline = Date.now() + 8000;
  for (;;) {
    const value = await probe();
    if (value) return value;
    assert.ok(Date.now() < deadline, "did not come true");
    await sleep(50);
  }
}

// The call must be refused by the typed exception of that name, or (for errors the model does not have) by the name alone.
async function refused(promise, name, message) {
  const error = await promise.then(() => assert.fail(`not refused; expected ${name}`), (caught) => caught);
  assert.ok(error instanceof api.SQSServiceException, String(error));
  if (api[name]) assert.ok(error instanceof api[name], `${error.name} is not ${name}`);
  else assert.ok([error.name, error.Code].includes(name), `${error.name}, ${error.Code} is not ${name}`);
  if (message) assert.match(error.message, message);
  assert.ok(error.$metadata.httpStatusCode >= 400 && error.$metadata.httpStatusCode < 500);
  return error;
}

test("Q01 create, use at once", () => withQueue({}, async (QueueUrl, name) => {
  assert.equal(new URL(QueueUrl).host, new URL(endpoint).host);
  assert.ok(QueueUrl.endsWith(`/${ACCOUNT}/${name}`));
  await sqs.sendMessage({ QueueUrl, MessageBody: "first" });
  assert.deepEqual(bodies(await receiveAll(QueueUrl, 1)), ["first"]);
}));

test("Q02 create again", () => withQueue({ VisibilityTimeout: "17" }, async (QueueUrl, QueueName) => {
  assert.equal((await sqs.createQueue({ QueueName })).QueueUrl, QueueUrl);
  assert.equal((await sqs.createQueue({ QueueName, Attributes: { VisibilityTimeout: "17" } })).QueueUrl, QueueUrl);
}));

test("Q03 create with another value", () => withQueue({}, (QueueUrl, QueueName) =>
  refused(sqs.createQueue({ QueueName, Attributes: { DelaySeconds: "1" } }), "QueueNameExists", /DelaySeconds$/)));

test("Q08 list in pages", async () => {
  const prefix = freshName();
  const urls = [];
  for (let index = 0; index < 3; index++) urls.push((await sqs.createQueue({ QueueName: `${prefix}-${index}` })).QueueUrl);
  const found = [];
  for await (const page of api.paginateListQueues({ client: sqs, pageSize: 2 }, { QueueNamePrefix: prefix })) found.push(page.QueueUrls);
  assert.deepEqual(found.map((page) => page.length), [2, 1]);
  assert.deepEqual(found.flat().sort(), urls.sort());
  for (const QueueUrl of urls) await sqs.deleteQueue({ QueueUrl });
});

test("Q10 unknown attribute name", () => withQueue({}, async (QueueUrl) => {
  assert.equal((await sqs.getQueueAttributes({ QueueUrl })).Attributes, undefined);
  await refused(sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Colour"] }), "InvalidAttributeName", /Unknown Attribute Colour\./);
}));

test("Q11 set attributes", () => withQueue({}, async (QueueUrl) => {
  await sqs.setQueueAttributes({ QueueUrl, Attributes: { VisibilityTimeout: "43200", DelaySeconds: "900" } });
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
  assert.deepEqual([Attributes.VisibilityTimeout, Attributes.DelaySeconds], ["43200", "900"]);
  await refused(sqs.setQueueAttributes({ QueueUrl, Attributes: { DelaySeconds: "901" } }), "InvalidAttributeValue");
}));

test("Q15 policy verbatim", () => withQueue({}, async (QueueUrl) => {
  const Policy = JSON.stringify({ Version: "2012-10-17", Id: "x", Statement: [
    { Effect: "Allow", Principal: "*", Action: "sqs:SendMessage", Resource: await arnOf(QueueUrl) }] }, null, 3);
  await sqs.setQueueAttributes({ QueueUrl, Attributes: { Policy } });
  assert.equal((await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] })).Attributes.Policy, Policy);
}));

test("Q18 purge", () => withQueue({}, async (QueueUrl) => {
  await sqs.sendMessage({ QueueUrl, MessageBody: "b" });
  await sqs.purgeQueue({ QueueUrl });
  assert.deepEqual(await receive(QueueUrl), []);
}));

test("Q19 tags", () => withQueue({}, async (QueueUrl) => {
  assert.equal((await sqs.listQueueTags({ QueueUrl })).Tags, undefined);
  await sqs.tagQueue({ QueueUrl, Tags: { team: "red", "ü": "" } });
  assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, { team: "red", "ü": "" });
  await sqs.untagQueue({ QueueUrl, TagKeys: ["team", "never"] });
  assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, { "ü": "" });
}));

test("Q21 missing queue", async () => {
  const QueueUrl = `${endpoint}/${ACCOUNT}/${freshName()}`;
  await refused(sqs.sendMessage({ QueueUrl, MessageBody: "b" }), "QueueDoesNotExist", /^The specified queue does not exist\.$/);
  await refused(sqs.getQueueUrl({ QueueName: freshName() }), "QueueDoesNotExist");
});

test("M01 send, receive, delete", () => withQueue({}, async (QueueUrl) => {
  const sent = await sqs.sendMessage({ QueueUrl, MessageBody: "hello" });
  assert.equal(sent.MD5OfMessageBody, md5("hello"));
  const [message] = await receiveAll(QueueUrl, 1, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
  assert.deepEqual([message.MessageId, message.Body, message.MD5OfBody], [sent.MessageId, "hello", md5("hello")]);
  assert.deepEqual(message.Attributes, { ApproximateReceiveCount: "1" });
  await remove(QueueUrl, message);
  assert.deepEqual(await receive(QueueUrl), []);
}));

test("M03 message attributes of all types", () => withQueue({}, async (QueueUrl) => {
  const MessageAttributes = {
    text: { DataType: "String", StringValue: "v & <ü>" }, number: { DataType: "Number", StringValue: "-1.5" },
    bytes: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 1, 255) },
    label: { DataType: "String.colour", StringValue: "red" }, picture: { DataType: "Binary.png", BinaryValue: Uint8Array.of(137) },
  };
  const sent = await sqs.sendMessage({ QueueUrl, MessageBody: "b", MessageAttributes });
  const [message] = await receiveAll(QueueUrl, 1, { MessageAttributeNames: ["All"] });
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  const plain = (map) => Object.fromEntries(Object.entries(map).map(([key, value]) =>
    [key, [value.DataType, value.StringValue, value.BinaryValue && [...value.BinaryValue]]]));
  assert.deepEqual(plain(message.MessageAttributes), plain(MessageAttributes));
  const known = await sqs.sendMessage({ QueueUrl, MessageBody: "b", MessageAttributes: { timestamp: { DataType: "Number", StringValue: "1493147359900" } } });
  assert.equal(known.MD5OfMessageAttributes, "235c5c510d26fb653d073faed50ae77c");
}));

test("M06 trace header", () => withQueue({}, async (QueueUrl) => {
  const StringValue = "Root=1-5759e988-bd862e3fe1be46a994272793";
  const sent = await sqs.sendMessage({ QueueUrl, MessageBody: "b", MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue } } });
  assert.match(sent.MD5OfMessageSystemAttributes, /^[0-9a-f]{32}$/);
  const [message] = await receiveAll(QueueUrl, 1, { MessageSystemAttributeNames: ["AWSTraceHeader"] });
  assert.deepEqual(message.Attributes, { AWSTraceHeader: StringValue });
}));

test("M07 bodies", () => withQueue({}, async (QueueUrl) => {
  for (const MessageBody of ["ü€𝄞漢字", "<a href=\"b\">&amp;'</a>", "tab\tcr\rlf\n", "\\u0041"]) {
    await sqs.sendMessage({ QueueUrl, MessageBody });
    const [message] = await receiveAll(QueueUrl, 1);
    assert.equal(message.Body, MessageBody);
    await remove(QueueUrl, message);
  }
  await refused(sqs.sendMessage({ QueueUrl, MessageBody: "a\u0000" }), "InvalidMessageContents");
}));

test("M08 one mebibyte", () => withQueue({}, async (QueueUrl) => {
  const MessageBody = "0123456789abcdef".repeat(MIB / 16);
  await sqs.sendMessage({ QueueUrl, MessageBody });
  assert.equal((await receiveAll(QueueUrl, 1))[0].Body, MessageBody);
  await refused(sqs.sendMessage({ QueueUrl, MessageBody: MessageBody + "a" }), "InvalidParameterValue", /Message must be shorter than 1048576 bytes\./);
}));

test("L02 a send wakes a wait", () => withQueue({}, async (QueueUrl) => {
  const start = Date.now();
  const waiting = receive(QueueUrl, 1, { WaitTimeSeconds: LONG_POLL_S });
  await sleep(400);
  await client().sendMessage({ QueueUrl, MessageBody: "wake" });
  assert.deepEqual(bodies(await waiting), ["wake"]);
  assert.ok(Date.now() - start < WOKEN_BEFORE_MS);
}));

test("L03 a delay ends a wait", () => withQueue({}, async (QueueUrl) => {
  const start = Date.now();
  await sqs.sendMessage({ QueueUrl, MessageBody: "late", DelaySeconds: 1 });
  assert.deepEqual(bodies(await receive(QueueUrl, 1, { WaitTimeSeconds: LONG_POLL_S })), ["late"]);
  assert.ok(Date.now() - start < WOKEN_BEFORE_MS);
}));

test("V03 change visibility to zero", () => withQueue({}, async (QueueUrl) => {
  await sqs.sendMessage({ QueueUrl, MessageBody: "b" });
  const [{ ReceiptHandle }] = await receiveAll(QueueUrl, 1);
  await sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });
  assert.equal((await receive(QueueUrl)).length, 1);
}));

test("V05 a garbage handle", () => withQueue({}, (QueueUrl) =>
  refused(sqs.deleteMessage({ QueueUrl, ReceiptHandle: "garbage" }), "ReceiptHandleIsInvalid", /"garbage" is not a valid receipt handle/)));

test("D01 delete twice", () => withQueue({}, async (QueueUrl) => {
  await sqs.sendMessage({ QueueUrl, MessageBody: "b" });
  const [message] = await receiveAll(QueueUrl, 1);
  await remove(QueueUrl, message);
  await remove(QueueUrl, message);
}));

test("B01 send a batch", () => withQueue({}, async (QueueUrl) => {
  const reply = await sqs.sendMessageBatch({ QueueUrl, Entries: ["a", "b"].map((Id) => ({ Id, MessageBody: Id })) });
  assert.deepEqual(reply.Successful.map((item) => [item.Id, item.MD5OfMessageBody]), [["a", md5("a")], ["b", md5("b")]]);
  assert.equal(reply.Failed?.length ?? 0, 0);
}));

test("B02 one bad entry", () => withQueue({ MaximumMessageSize: "1024" }, async (QueueUrl) => {
  const reply = await sqs.sendMessageBatch({ QueueUrl, Entries: [{ Id: "good", MessageBody: "a" }, { Id: "bad", MessageBody: "a".repeat(1025) }] });
  assert.deepEqual(reply.Successful.map((item) => item.Id), ["good"]);
  assert.deepEqual(reply.Failed.map((item) => [item.Id, item.Code, item.SenderFault]), [["bad", "InvalidParameterValue", true]]);
}));

test("B03 bad batches", () => withQueue({}, async (QueueUrl) => {
  const send = (ids) => sqs.sendMessageBatch({ QueueUrl, Entries: ids.map((Id) => ({ Id, MessageBody: "b" })) });
  await refused(send([]), "EmptyBatchRequest");
  await refused(send([..."abcdefghijk"]), "TooManyEntriesInBatchRequest", /10\. You have sent 11\./);
  await refused(send(["a", "a"]), "BatchEntryIdsNotDistinct", /Id a repeated\./);
  await refused(send(["a:b"]), "InvalidBatchEntryId");
}));

test("B04 a batch too long", () => withQueue({}, (QueueUrl) => {
  const half = "a".repeat(MIB / 2);
  return refused(sqs.sendMessageBatch({ QueueUrl, Entries: [{ Id: "1", MessageBody: half }, { Id: "2", MessageBody: half + "a" }] }),
    "BatchRequestTooLong", /You have sent 1048577 bytes\./);
}));

const sendFifo = (QueueUrl, MessageBody, MessageGroupId = "g", options = {}) =>
  sqs.sendMessage({ QueueUrl, MessageBody, MessageGroupId, ...options });

test("F01 order", () => withQueue(FIFO, async (QueueUrl) => {
  const numbers = [];
  for (const body of ["1", "2", "3"]) numbers.push((await sendFifo(QueueUrl, body)).SequenceNumber);
  assert.deepEqual(numbers, [...numbers].sort());
  assert.deepEqual(bodies(await receive(QueueUrl)), ["1", "2", "3"]);
}));

test("F02 group lock", () => withQueue(FIFO, async (QueueUrl) => {
  await sendFifo(QueueUrl, "a1", "a");
  await sendFifo(QueueUrl, "a2", "a");
  await sendFifo(QueueUrl, "b1", "b");
  const [first] = await receive(QueueUrl, 1);
  assert.equal(first.Body, "a1");
  assert.deepEqual(bodies(await receive(QueueUrl)), ["b1"]);
  await remove(QueueUrl, first);
  assert.deepEqual(bodies(await receive(QueueUrl)), ["a2"]);
}));

test("F03 batch order", () => withQueue(FIFO, async (QueueUrl) => {
  const ids = [..."0123456789"];
  await sqs.sendMessageBatch({ QueueUrl, Entries: ids.map((Id) => ({ Id, MessageBody: Id, MessageGroupId: "g" })) });
  assert.deepEqual(bodies(await receive(QueueUrl)), ids);
}));

test("F04 explicit deduplication", () => withQueue({ FifoQueue: "true" }, async (QueueUrl) => {
  const first = await sendFifo(QueueUrl, "one", "g", { MessageDeduplicationId: "d" });
  const second = await sendFifo(QueueUrl, "two", "g", { MessageDeduplicationId: "d" });
  assert.deepEqual([second.MessageId, second.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  assert.deepEqual(bodies(await receive(QueueUrl)), ["one"]);
}));

test("F05 and F06 content-based deduplication outlives the message", () => withQueue(FIFO, async (QueueUrl) => {
  const first = await sendFifo(QueueUrl, "same");
  await remove(QueueUrl, (await receive(QueueUrl))[0]);
  assert.equal((await sendFifo(QueueUrl, "same")).MessageId, first.MessageId);
  assert.deepEqual(await receive(QueueUrl), []);
}));

test("F10 the same attempt", () => withQueue(FIFO, async (QueueUrl) => {
  await sendFifo(QueueUrl, "1");
  const [first] = await receive(QueueUrl, 1, { ReceiveRequestAttemptId: "try" });
  const [again] = await receive(QueueUrl, 1, { ReceiveRequestAttemptId: "try" });
  assert.deepEqual([again.MessageId, again.ReceiptHandle], [first.MessageId, first.ReceiptHandle]);
}));

const withDeadLetters = (body) => withQueue({}, async (dead) => withQueue(
  { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: await arnOf(dead), maxReceiveCount: 1 }) }, (source) => body(source, dead)));

async function bury(source, dead, texts) {
  for (const MessageBody of texts) await sqs.sendMessage({ QueueUrl: source, MessageBody });
  for (const { ReceiptHandle } of await receiveAll(source, texts.length)) {
    await sqs.changeMessageVisibility({ QueueUrl: source, ReceiptHandle, VisibilityTimeout: 0 });
  }
  assert.deepEqual(await receive(source), []);
  const waiting = async () => (await sqs.getQueueAttributes({ QueueUrl: dead, AttributeNames: ["ApproximateNumberOfMessages"] })).Attributes.ApproximateNumberOfMessages;
  await eventually(async () => (await waiting()) === String(texts.length));
}

test("R01 and R05 dead letters", () => withDeadLetters(async (source, dead) => {
  assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, [source]);
  assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: source })).queueUrls, []);
  await bury(source, dead, ["poison"]);
  const [message] = await receiveAll(dead, 1, { MessageSystemAttributeNames: ["ApproximateReceiveCount", "DeadLetterQueueSourceArn"] });
  assert.deepEqual(message.Attributes, { ApproximateReceiveCount: "2", DeadLetterQueueSourceArn: await arnOf(source) });
}));

test("R07 move task", () => withDeadLetters(async (source, dead) => {
  await bury(source, dead, ["a", "b"]);
  const SourceArn = await arnOf(dead);
  assert.ok((await sqs.startMessageMoveTask({ SourceArn })).TaskHandle);
  const task = await eventually(async () => (await sqs.listMessageMoveTasks({ SourceArn })).Results?.find((item) => item.Status === "COMPLETED"));
  assert.deepEqual([task.ApproximateNumberOfMessagesMoved, task.ApproximateNumberOfMessagesToMove], [2, 2]);
  assert.deepEqual(bodies(await receiveAll(source, 2)).sort(), ["a", "b"]);
}));

test("R09 and R10 cancel", () => withDeadLetters(async (source, dead) => {
  await bury(source, dead, ["1", "2", "3", "4"]);
  const SourceArn = await arnOf(dead);
  const { TaskHandle } = await sqs.startMessageMoveTask({ SourceArn, MaxNumberOfMessagesPerSecond: 1 });
  const { ApproximateNumberOfMessagesMoved } = await sqs.cancelMessageMoveTask({ TaskHandle });
  assert.ok(ApproximateNumberOfMessagesMoved < 4);
  await refused(sqs.startMessageMoveTask({ SourceArn: SourceArn + "-not" }), "ResourceNotFoundException", /SourceArn/);
}));

test("A01 and A02 two accounts", () => withQueue({}, async (QueueUrl, QueueName) => {
  const theirs = (await other.createQueue({ QueueName })).QueueUrl;
  assert.ok(theirs.endsWith(`/${OTHER}/${QueueName}`) && theirs !== QueueUrl);
  await other.deleteQueue({ QueueUrl: theirs });
  const send = () => other.sendMessage({ QueueUrl, MessageBody: "b" });
  assert.equal((await refused(send(), "AccessDenied")).$metadata.httpStatusCode, 403);
  await sqs.addPermission({ QueueUrl, Label: "let", AWSAccountIds: [OTHER], Actions: ["SendMessage"] });
  await send();
  await sqs.removePermission({ QueueUrl, Label: "let" });
  await refused(send(), "AccessDenied");
}));

test("A03 refused credentials", async () => {
  const nameOf = (promise) => promise.then(() => "none", (error) => error.name);
  assert.match(await nameOf(client("test", "not the secret").listQueues({})), /^(InvalidSignatureException|SignatureDoesNotMatch)$/);
  assert.match(await nameOf(client("NOSUCHKEY").listQueues({})), /^(UnrecognizedClientException|InvalidClientTokenId)$/);
});

test("A04 who am I", async () => {
  const sts = new STSClient({ region, endpoint, maxAttempts: 1, credentials: { accessKeyId: OTHER, secretAccessKey: "test" } });
  assert.equal((await sts.send(new GetCallerIdentityCommand({}))).Account, OTHER);
});
