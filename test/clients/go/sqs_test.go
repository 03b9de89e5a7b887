// The Go SDK v2, unpatched, endpoint from AWS_ENDPOINT_URL. Ids are those of ../scenarios.md.
package clients

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const (
	account     = "000000000000"
	otherID     = "111122223333"
	mib         = 1048576
	longPollS   = 10
	wokenBefore = 8 * time.Second
)

var (
	ctx      = context.Background()
	endpoint = os.Getenv("AWS_ENDPOINT_URL")
	queues   = client("test", "test")
	other    = client(otherID, "test")
	fifo     = map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}
)

func config(key, secret string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider(key, secret, ""),
		BaseEndpoint: aws.String(endpoint),
	}
}

func client(key, secret string) *sqs.Client { return sqs.NewFromConfig(config(key, secret)) }

// ---- helpers

func freshName() string {
	raw := make([]byte, 9)
	_, _ = rand.Read(raw)
	return "go-" + hex.EncodeToString(raw)
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func equal(t *testing.T, expected, found any) {
	t.Helper()
	if !reflect.DeepEqual(expected, found) {
		t.Fatalf("expected %v, found %v", expected, found)
	}
}

// refused fails unless err is of the typed exception E, with text in its message.
func refused[E error](t *testing.T, err error, text string) {
	t.Helper()
	var typed E
	if !errors.As(err, &typed) {
		t.Fatalf("expected %T, found %v", typed, err)
	}
	if !strings.Contains(err.Error(), text) {
		t.Fatalf("no %q in %v", text, err)
	}
}

func refusedCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	var typed smithy.APIError
	if !errors.As(err, &typed) || !slices.Contains(codes, typed.ErrorCode()) {
		t.Fatalf("expected one of %v, found %v", codes, err)
	}
}

func createQueue(t *testing.T, attributes map[string]string) (string, string) {
	t.Helper()
	name := freshName()
	if attributes["FifoQueue"] != "" {
		name += ".fifo"
	}
	url := *must(queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}))(t).QueueUrl
	t.Cleanup(func() { _, _ = queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url}) })
	return url, name
}

func attribute(t *testing.T, url string, name types.QueueAttributeName) string {
	t.Helper()
	reply := must(queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{name}}))(t)
	return reply.Attributes[string(name)]
}

func arnOf(t *testing.T, url string) string {
	return attribute(t, url, types.QueueAttributeNameQueueArn)
}

func send(t *testing.T, url, body string) *sqs.SendMessageOutput {
	t.Helper()
	return must(queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}))(t)
}

func sendFifo(t *testing.T, url, body, group, id string) *sqs.SendMessageOutput {
	t.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageGroupId: &group}
	if id != "" {
		in.MessageDeduplicationId = &id
	}
	return must(queues.SendMessage(ctx, in))(t)
}

func receive(t *testing.T, in sqs.ReceiveMessageInput) []types.Message {
	t.Helper()
	if in.MaxNumberOfMessages == 0 {
		in.MaxNumberOfMessages = 10
	}
	return must(queues.ReceiveMessage(ctx, &in))(t).Messages
}

func receiveAll(t *testing.T, in sqs.ReceiveMessageInput, expected int) []types.Message {
	t.Helper()
	var found []types.Message
	in.WaitTimeSeconds = 1
	for deadline := time.Now().Add(8 * time.Second); len(found) < expected && time.Now().Before(deadline); {
		found = append(found, receive(t, in)...)
	}
	equal(t, expected, len(found))
	return found
}

func from(url string) sqs.ReceiveMessageInput { return sqs.ReceiveMessageInput{QueueUrl: &url} }

func bodies(messages []types.Message) []string {
	found := []string{}
	for _, message := range messages {
		found = append(found, *message.Body)
	}
	return found
}

func remove(t *testing.T, url string, message types.Message) {
	t.Helper()
	must(queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: message.ReceiptHandle}))(t)
}

func eventually(t *testing.T, probe func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Second); !probe(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not come true")
		}
	}
}

func sendIDs(url string, ids ...string) error {
	entries := []types.SendMessageBatchRequestEntry{}
	for _, id := range ids {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String(id + "b")})
	}
	_, err := queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
	return err
}

func deadLetters(t *testing.T) (string, string) {
	t.Helper()
	dead, _ := createQueue(t, nil)
	policy, _ := json.Marshal(map[string]any{"deadLetterTargetArn": arnOf(t, dead), "maxReceiveCount": 1})
	source, _ := createQueue(t, map[string]string{"RedrivePolicy": string(policy)})
	return source, dead
}

func bury(t *testing.T, source, dead string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		send(t, source, text)
	}
	for _, message := range receiveAll(t, from(source), len(texts)) {
		must(queues.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &source, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0}))(t)
	}
	equal(t, 0, len(receive(t, from(source))))
	eventually(t, func() bool {
		return attribute(t, dead, types.QueueAttributeNameApproximateNumberOfMessages) == fmt.Sprint(len(texts))
	})
}

// ---- queues

func TestQ01CreateUseAtOnce(t *testing.T) {
	url, name := createQueue(t, nil)
	if !strings.HasPrefix(url, endpoint+"/") || !strings.HasSuffix(url, "/"+account+"/"+name) {
		t.Fatal(url)
	}
	send(t, url, "first")
	equal(t, []string{"first"}, bodies(receiveAll(t, from(url), 1)))
}

func TestQ02CreateAgain(t *testing.T) {
	url, name := createQueue(t, map[string]string{"VisibilityTimeout": "17"})
	equal(t, url, *must(queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name}))(t).QueueUrl)
}

func TestQ03CreateWithAnotherValue(t *testing.T) {
	_, name := createQueue(t, nil)
	_, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"DelaySeconds": "1"}})
	refused[*types.QueueNameExists](t, err, "DelaySeconds")
}

func TestQ08ListInPages(t *testing.T) {
	prefix, urls, found, sizes := freshName(), []string{}, []string{}, []int{}
	for index := range 3 {
		url := *must(queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(fmt.Sprintf("%s-%d", prefix, index))}))(t).QueueUrl
		t.Cleanup(func() { _, _ = queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url}) })
		urls = append(urls, url)
	}
	pages := sqs.NewListQueuesPaginator(queues, &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page := must(pages.NextPage(ctx))(t)
		sizes, found = append(sizes, len(page.QueueUrls)), append(found, page.QueueUrls...)
	}
	sort.Strings(found)
	sort.Strings(urls)
	equal(t, []int{2, 1}, sizes)
	equal(t, urls, found)
}

func TestQ10UnknownAttributeName(t *testing.T) {
	url, _ := createQueue(t, nil)
	_, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"Colour"}})
	refused[*types.InvalidAttributeName](t, err, "Unknown Attribute Colour.")
}

func TestQ11SetAttributes(t *testing.T) {
	url, _ := createQueue(t, nil)
	set := func(key, value string) error {
		_, err := queues.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{key: value}})
		return err
	}
	must(0, set("VisibilityTimeout", "43200"))(t)
	equal(t, "43200", attribute(t, url, types.QueueAttributeNameVisibilityTimeout))
	refused[*types.InvalidAttributeValue](t, set("DelaySeconds", "901"), "DelaySeconds")
}

func TestQ15PolicyVerbatim(t *testing.T) {
	url, _ := createQueue(t, nil)
	policy := `{ "Version":"2012-10-17",` + "\n" + ` "Id" : "x", "Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"` + arnOf(t, url) + `"}]}`
	must(queues.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": policy}}))(t)
	equal(t, policy, attribute(t, url, types.QueueAttributeNamePolicy))
}

func TestQ18Purge(t *testing.T) {
	url, _ := createQueue(t, nil)
	send(t, url, "b")
	must(queues.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &url}))(t)
	equal(t, 0, len(receive(t, from(url))))
}

func TestQ19Tags(t *testing.T) {
	url, _ := createQueue(t, nil)
	tags := func() map[string]string {
		return must(queues.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &url}))(t).Tags
	}
	must(queues.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"team": "red", "ü": ""}}))(t)
	equal(t, map[string]string{"team": "red", "ü": ""}, tags())
	must(queues.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: &url, TagKeys: []string{"team", "never"}}))(t)
	equal(t, map[string]string{"ü": ""}, tags())
}

func TestQ21MissingQueue(t *testing.T) {
	_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(endpoint + "/" + account + "/" + freshName()), MessageBody: aws.String("b")})
	refused[*types.QueueDoesNotExist](t, err, "The specified queue does not exist.")
	_, err = queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(freshName())})
	refused[*types.QueueDoesNotExist](t, err, "")
}

// ---- messages

func TestM01SendReceiveDelete(t *testing.T) {
	url, _ := createQueue(t, nil)
	sent := send(t, url, "hello")
	sum := md5.Sum([]byte("hello"))
	equal(t, hex.EncodeToString(sum[:]), *sent.MD5OfMessageBody)
	in := from(url)
	in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount}
	message := receiveAll(t, in, 1)[0]
	equal(t, *sent.MessageId, *message.MessageId)
	equal(t, "hello", *message.Body)
	equal(t, map[string]string{"ApproximateReceiveCount": "1"}, message.Attributes)
	remove(t, url, message)
	equal(t, 0, len(receive(t, from(url))))
}

func TestM03MessageAttributes(t *testing.T) {
	url, _ := createQueue(t, nil)
	text := func(kind, value string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, StringValue: &value}
	}
	attributes := map[string]types.MessageAttributeValue{
		"text": text("String", "v & <ü>"), "number": text("Number", "-1.5"), "label": text("String.colour", "red"),
		"bytes":   {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		"picture": {DataType: aws.String("Binary.png"), BinaryValue: []byte{137}},
	}
	sent := must(queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b"), MessageAttributes: attributes}))(t)
	in := from(url)
	in.MessageAttributeNames = []string{"All"}
	message := receiveAll(t, in, 1)[0]
	equal(t, *sent.MD5OfMessageAttributes, *message.MD5OfMessageAttributes)
	equal(t, len(attributes), len(message.MessageAttributes))
	for key, value := range attributes {
		found := message.MessageAttributes[key]
		equal(t, *value.DataType, *found.DataType)
		equal(t, aws.ToString(value.StringValue), aws.ToString(found.StringValue))
		if !bytes.Equal(value.BinaryValue, found.BinaryValue) {
			t.Fatalf("%s: %v", key, found.BinaryValue)
		}
	}
	known := must(queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b"),
		MessageAttributes: map[string]types.MessageAttributeValue{"timestamp": text("Number", "1493147359900")}}))(t)
	equal(t, "235c5c510d26fb653d073faed50ae77c", *known.MD5OfMessageAttributes)
}

func TestM06TraceHeader(t *testing.T) {
	url, _ := createQueue(t, nil)
	trace := "Root=1-5759e988-bd862e3fe1be46a994272793"
	sent := must(queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b"),
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: &trace}}}))(t)
	equal(t, 32, len(aws.ToString(sent.MD5OfMessageSystemAttributes)))
	in := from(url)
	in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAWSTraceHeader}
	equal(t, map[string]string{"AWSTraceHeader": trace}, receiveAll(t, in, 1)[0].Attributes)
}

func TestM07Bodies(t *testing.T) {
	url, _ := createQueue(t, nil)
	for _, body := range []string{"ü€𝄞漢字", `<a href="b">&amp;'</a>`, "tab\tcr\rlf\n", `\u0041`} {
		send(t, url, body)
		message := receiveAll(t, from(url), 1)[0]
		equal(t, body, *message.Body)
		remove(t, url, message)
	}
	_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("a\x00")})
	refused[*types.InvalidMessageContents](t, err, "")
}

func TestM08OneMebibyte(t *testing.T) {
	url, _ := createQueue(t, nil)
	body := strings.Repeat("0123456789abcdef", mib/16)
	send(t, url, body)
	// When an answer comes while net/http still asks the sent body for more, smithy-go has closed it already, its WriteTo says
	// io.EOF, and net/http drops the connection under the answer. The SDK then tries again; the message must be visible for that.
	in := from(url)
	in.VisibilityTimeout = 1
	equal(t, body, *receiveAll(t, in, 1)[0].Body)
	_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(body + "a")})
	refusedCode(t, err, "InvalidParameterValue", "InvalidParameterValueException")
}

func TestL02ASendWakesAWait(t *testing.T) {
	url, _ := createQueue(t, nil)
	start := time.Now()
	go func() {
		time.Sleep(400 * time.Millisecond)
		_, _ = queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("wake")})
	}()
	in := from(url)
	in.WaitTimeSeconds = longPollS
	equal(t, []string{"wake"}, bodies(receive(t, in)))
	if time.Since(start) > wokenBefore {
		t.Fatal("not woken")
	}
}

func TestL03ADelayEndsAWait(t *testing.T) {
	url, _ := createQueue(t, nil)
	start := time.Now()
	must(queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("late"), DelaySeconds: 1}))(t)
	in := from(url)
	in.WaitTimeSeconds = longPollS
	equal(t, []string{"late"}, bodies(receive(t, in)))
	if time.Since(start) > wokenBefore {
		t.Fatal("not woken")
	}
}

func TestV03ChangeVisibilityToZero(t *testing.T) {
	url, _ := createQueue(t, nil)
	send(t, url, "b")
	message := receiveAll(t, from(url), 1)[0]
	must(queues.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: message.ReceiptHandle}))(t)
	equal(t, 1, len(receive(t, from(url))))
}

func TestV05AGarbageHandle(t *testing.T) {
	url, _ := createQueue(t, nil)
	_, err := queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: aws.String("garbage")})
	refused[*types.ReceiptHandleIsInvalid](t, err, `"garbage" is not a valid receipt handle`)
}

func TestD01DeleteTwice(t *testing.T) {
	url, _ := createQueue(t, nil)
	send(t, url, "b")
	message := receiveAll(t, from(url), 1)[0]
	remove(t, url, message)
	remove(t, url, message)
}

// ---- batches

func TestB01SendABatch(t *testing.T) {
	url, _ := createQueue(t, nil)
	must(0, sendIDs(url, "a", "b"))(t)
	found := bodies(receiveAll(t, from(url), 2))
	sort.Strings(found)
	equal(t, []string{"ab", "bb"}, found)
}

func TestB02OneBadEntry(t *testing.T) {
	url, _ := createQueue(t, map[string]string{"MaximumMessageSize": "1024"})
	reply := must(queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("good"), MessageBody: aws.String("a")}, {Id: aws.String("bad"), MessageBody: aws.String(strings.Repeat("a", 1025))}}}))(t)
	equal(t, 1, len(reply.Successful))
	equal(t, "good", *reply.Successful[0].Id)
	equal(t, 1, len(reply.Failed))
	equal(t, "bad InvalidParameterValue true", fmt.Sprint(*reply.Failed[0].Id, " ", *reply.Failed[0].Code, " ", reply.Failed[0].SenderFault))
}

func TestB03BadBatches(t *testing.T) {
	url, _ := createQueue(t, nil)
	refused[*types.EmptyBatchRequest](t, sendIDs(url), "")
	refused[*types.TooManyEntriesInBatchRequest](t, sendIDs(url, strings.Split("abcdefghijk", "")...), "You have sent 11.")
	refused[*types.BatchEntryIdsNotDistinct](t, sendIDs(url, "a", "a"), "Id a repeated.")
	refused[*types.InvalidBatchEntryId](t, sendIDs(url, "a:b"), "")
}

func TestB04ABatchTooLong(t *testing.T) {
	url, _ := createQueue(t, nil)
	half := strings.Repeat("a", mib/2)
	_, err := queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("1"), MessageBody: &half}, {Id: aws.String("2"), MessageBody: aws.String(half + "a")}}})
	refused[*types.BatchRequestTooLong](t, err, "You have sent 1048577 bytes.")
}

// ---- FIFO

func TestF01Order(t *testing.T) {
	url, _ := createQueue(t, fifo)
	numbers := []string{}
	for _, body := range []string{"1", "2", "3"} {
		numbers = append(numbers, aws.ToString(sendFifo(t, url, body, "g", "").SequenceNumber))
	}
	if numbers[0] == "" || !sort.StringsAreSorted(numbers) {
		t.Fatal(numbers)
	}
	equal(t, []string{"1", "2", "3"}, bodies(receive(t, from(url))))
}

func TestF02GroupLock(t *testing.T) {
	url, _ := createQueue(t, fifo)
	sendFifo(t, url, "a1", "a", "")
	sendFifo(t, url, "a2", "a", "")
	sendFifo(t, url, "b1", "b", "")
	in := from(url)
	in.MaxNumberOfMessages = 1
	first := receive(t, in)
	equal(t, []string{"a1"}, bodies(first))
	equal(t, []string{"b1"}, bodies(receive(t, from(url))))
	remove(t, url, first[0])
	equal(t, []string{"a2"}, bodies(receive(t, from(url))))
}

func TestF03BatchOrder(t *testing.T) {
	url, _ := createQueue(t, fifo)
	ids, entries := strings.Split("0123456789", ""), []types.SendMessageBatchRequestEntry{}
	for _, id := range ids {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String(id), MessageGroupId: aws.String("g")})
	}
	must(queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries}))(t)
	equal(t, ids, bodies(receive(t, from(url))))
}

func TestF04ExplicitDeduplication(t *testing.T) {
	url, _ := createQueue(t, map[string]string{"FifoQueue": "true"})
	first, second := sendFifo(t, url, "one", "g", "d"), sendFifo(t, url, "two", "g", "d")
	equal(t, *first.MessageId, *second.MessageId)
	equal(t, aws.ToString(first.SequenceNumber), aws.ToString(second.SequenceNumber))
	equal(t, []string{"one"}, bodies(receive(t, from(url))))
}

func TestF05F06ContentBasedDeduplicationOutlivesTheMessage(t *testing.T) {
	url, _ := createQueue(t, fifo)
	first := *sendFifo(t, url, "same", "g", "").MessageId
	remove(t, url, receiveAll(t, from(url), 1)[0])
	equal(t, first, *sendFifo(t, url, "same", "g", "").MessageId)
	equal(t, 0, len(receive(t, from(url))))
}

func TestF10TheSameAttempt(t *testing.T) {
	url, _ := createQueue(t, fifo)
	sendFifo(t, url, "1", "g", "")
	in := from(url)
	in.ReceiveRequestAttemptId = aws.String("try")
	first, again := receive(t, in), receive(t, in)
	equal(t, 1, len(first))
	equal(t, 1, len(again))
	equal(t, *first[0].ReceiptHandle, *again[0].ReceiptHandle)
}

// ---- dead letters

func TestR01R05DeadLetters(t *testing.T) {
	source, dead := deadLetters(t)
	listed := must(queues.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: &dead}))(t)
	equal(t, []string{source}, listed.QueueUrls)
	bury(t, source, dead, "poison")
	in := from(dead)
	in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{"ApproximateReceiveCount", "DeadLetterQueueSourceArn"}
	equal(t, map[string]string{"ApproximateReceiveCount": "2", "DeadLetterQueueSourceArn": arnOf(t, source)}, receiveAll(t, in, 1)[0].Attributes)
}

func TestR07MoveTask(t *testing.T) {
	source, dead := deadLetters(t)
	bury(t, source, dead, "a", "b")
	arn := arnOf(t, dead)
	must(queues.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn}))(t)
	eventually(t, func() bool {
		results := must(queues.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn}))(t).Results
		return len(results) == 1 && aws.ToString(results[0].Status) == "COMPLETED" && results[0].ApproximateNumberOfMessagesMoved == 2
	})
	found := bodies(receiveAll(t, from(source), 2))
	sort.Strings(found)
	equal(t, []string{"a", "b"}, found)
}

func TestR09R10Cancel(t *testing.T) {
	source, dead := deadLetters(t)
	bury(t, source, dead, "1", "2", "3", "4")
	arn := arnOf(t, dead)
	task := must(queues.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn, MaxNumberOfMessagesPerSecond: aws.Int32(1)}))(t)
	if moved := must(queues.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: task.TaskHandle}))(t).ApproximateNumberOfMessagesMoved; moved >= 4 {
		t.Fatal("all were moved")
	}
	_, err := queues.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arn + "-not")})
	refused[*types.ResourceNotFoundException](t, err, "SourceArn")
}

// ---- access

func TestA01A02TwoAccounts(t *testing.T) {
	url, name := createQueue(t, nil)
	theirs := *must(other.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name}))(t).QueueUrl
	if !strings.HasSuffix(theirs, "/"+otherID+"/"+name) {
		t.Fatal(theirs)
	}
	must(other.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &theirs}))(t)
	sendOther := func() error {
		_, err := other.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b")})
		return err
	}
	refusedCode(t, sendOther(), "AccessDenied", "AccessDeniedException")
	must(queues.AddPermission(ctx, &sqs.AddPermissionInput{QueueUrl: &url, Label: aws.String("let"), AWSAccountIds: []string{otherID}, Actions: []string{"SendMessage"}}))(t)
	must(0, sendOther())(t)
	must(queues.RemovePermission(ctx, &sqs.RemovePermissionInput{QueueUrl: &url, Label: aws.String("let")}))(t)
	refusedCode(t, sendOther(), "AccessDenied", "AccessDeniedException")
}

func TestA03RefusedCredentials(t *testing.T) {
	_, err := client("test", "not the secret").ListQueues(ctx, &sqs.ListQueuesInput{})
	refusedCode(t, err, "InvalidSignatureException", "SignatureDoesNotMatch")
	_, err = client("NOSUCHKEY", "test").ListQueues(ctx, &sqs.ListQueuesInput{})
	refusedCode(t, err, "UnrecognizedClientException", "InvalidClientTokenId")
}

func TestA04WhoAmI(t *testing.T) {
	reply := must(sts.NewFromConfig(config(otherID, "test")).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	equal(t, otherID, aws.ToString(reply.Account))
}
