// What sarama must be able to do at the listener: go run . HOST:PORT VERSION NAME. It publishes, reads it back in a group,
// commits, and a second member of the group goes on where the first was. It sends the versions of requests that brokers of
// VERSION have, whatever is announced. Prints one line.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

const topic = "tradewind.stock.commands"
const messages = 40

// reader hands on what it is given.
type reader struct{}

func (reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			select {
			case taken <- taking{session, message}:
			case <-session.Context().Done():
				return nil
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

type taking struct {
	session sarama.ConsumerGroupSession
	message *sarama.ConsumerMessage
}

var taken = make(chan taking)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publish(address string, config *sarama.Config, name string, from, to int) {
	producer, err := sarama.NewSyncProducer([]string{address}, config)
	must(err)
	for n := from; n < to; n++ {
		value := fmt.Sprintf("%s-%d", name, n)
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{
			Topic: topic, Key: sarama.StringEncoder(value), Value: sarama.StringEncoder(value),
		})
		must(err)
	}
	must(producer.Close())
}

// read takes values in a group until it has so many.
func read(address string, config *sarama.Config, name string, wanted int) map[string]bool {
	group, err := sarama.NewConsumerGroup([]string{address}, name, config)
	must(err)
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	found := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{topic}, reader{}); err != nil && ctx.Err() == nil {
				must(err)
			}
		}
	}()
	for len(found) < wanted {
		select {
		case one := <-taken:
			// The topic has the values of others too.
			if value := string(one.message.Value); strings.HasPrefix(value, name+"-") {
				found[value] = true
			}
			one.session.MarkMessage(one.message, "")
			if len(found) == wanted {
				one.session.Commit()
			}
		case <-ctx.Done():
			must(fmt.Errorf("%d of %d read", len(found), wanted))
		}
	}
	stop()
	<-done
	must(group.Close())
	return found
}

func main() {
	address, version, name := os.Args[1], os.Args[2], os.Args[3]
	config := sarama.NewConfig()
	parsed, err := sarama.ParseKafkaVersion(version)
	must(err)
	config.Version = parsed
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	publishing := *config
	publishing.Producer.Idempotent = true
	publishing.Net.MaxOpenRequests = 1
	publish(address, &publishing, name, 0, messages/2)
	if first := read(address, config, name, messages/2); len(first) != messages/2 {
		must(fmt.Errorf("%d values read first", len(first)))
	}
	publish(address, &publishing, name, messages/2, messages)
	second := read(address, config, name, messages/2)
	for n := messages / 2; n < messages; n++ {
		if !second[fmt.Sprintf("%s-%d", name, n)] {
			must(fmt.Errorf("value %d was not read, but %v", n, second))
		}
	}
	if parsed.IsAtLeast(sarama.V1_1_0_0) {
		administer(address, config)
	}
	fmt.Println("all well")
}

// administer lists topics, for which settings are asked too, in a version that brokers have since 1.1; and may make none.
func administer(address string, config *sarama.Config) {
	admin, err := sarama.NewClusterAdmin([]string{address}, config)
	must(err)
	topics, err := admin.ListTopics()
	must(err)
	if _, ok := topics[topic]; !ok {
		must(fmt.Errorf("the topic is not listed"))
	}
	if err := admin.CreateTopic("mine", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err == nil {
		must(fmt.Errorf("a topic was made"))
	}
	must(admin.Close())
}
