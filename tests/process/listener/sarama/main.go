// What sarama must be able to do at the listener: go run . HOST:PORT VERSION NAME. It publishes, reads it back in a group,
// commits, and a second member of the group continues where the first was; and so does a third, after a restart of the node
// over which it has published. It sends the versions of requests that brokers of VERSION have, whatever is announced. Says
// "begun" when the node may be stopped, "more" when it may be started again, and "all well" at the end.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

const topic = "tradewind.stock.commands"
const view = "tradewind.views.stock"
const messages = 20

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

func value(name string, n int) string { return fmt.Sprintf("%s-%d", name, n) }

func publish(address string, config *sarama.Config, name string, from int, published func()) {
	producer, err := sarama.NewSyncProducer([]string{address}, config)
	must(err)
	for n := from; n < from+messages; n++ {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{
			Topic: topic, Key: sarama.StringEncoder(value(name, n)), Value: sarama.StringEncoder(value(name, n)),
		})
		must(err)
		published()
	}
	must(producer.Close())
}

// overARestart publishes while the node is stopped and started again.
func overARestart(address string, config *sarama.Config, name string, from int) {
	var count atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		publish(address, config, name, from, func() {
			if count.Add(1) == 1 {
				fmt.Println("begun")
			}
			time.Sleep(100 * time.Millisecond)
		})
	}()
	for count.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond)
	fmt.Println("more")
	<-done
}

// read takes, in a group, the values from that one on, and none before it.
func read(address string, config *sarama.Config, name string, from int) {
	group, err := sarama.NewConsumerGroup([]string{address}, name, config)
	must(err)
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	missing := map[string]bool{}
	for n := from; n < from+messages; n++ {
		missing[value(name, n)] = true
	}
	known := len(missing)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{topic}, reader{}); err != nil && ctx.Err() == nil {
				must(err)
			}
		}
	}()
	var session sarama.ConsumerGroupSession
	for len(missing) > 0 {
		select {
		case one := <-taken:
			// The topic has the values of others too.
			if found := string(one.message.Value); strings.HasPrefix(found, name+"-") {
				var number int
				_, err := fmt.Sscanf(found[len(name)+1:], "%d", &number)
				must(err)
				if number < from {
					must(fmt.Errorf("%s comes again, though all before %d is committed", found, from))
				}
				delete(missing, found)
			}
			session = one.session
			session.MarkMessage(one.message, "")
		case <-ctx.Done():
			must(fmt.Errorf("%d of %d read", known-len(missing), known))
		}
	}
	session.Commit()
	stop()
	<-done
	must(group.Close())
}

func main() {
	address, version, name := os.Args[1], os.Args[2], os.Args[3]
	config := sarama.NewConfig()
	parsed, err := sarama.ParseKafkaVersion(version)
	must(err)
	config.Version = parsed
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Retry.Max = 100
	config.Metadata.Retry.Max = 100
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	publishing := *config
	publishing.Producer.Idempotent = true
	publishing.Net.MaxOpenRequests = 1
	for part := range 2 {
		publish(address, &publishing, name, part*messages, func() {})
		read(address, config, name, part*messages)
	}
	overARestart(address, &publishing, name, 2*messages)
	read(address, config, name, 2*messages)
	administer(address, config, name)
	fmt.Println("all well")
}

// administer lists topics, their settings, where they end and what the group has committed; and may make no topic.
func administer(address string, config *sarama.Config, name string) {
	client, err := sarama.NewClient([]string{address}, config)
	must(err)
	admin, err := sarama.NewClusterAdminFromClient(client)
	must(err)
	topics, err := admin.ListTopics()
	must(err)
	if policy := topics[view].ConfigEntries["cleanup.policy"]; policy == nil || *policy != "compact" {
		must(fmt.Errorf("that views are compacted is not listed: %v", topics[view]))
	}
	partitions, err := client.Partitions(topic)
	must(err)
	committed, err := admin.ListConsumerGroupOffsets(name, map[string][]int32{topic: partitions})
	must(err)
	var sum int64
	for _, partition := range partitions {
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		must(err)
		if place := committed.GetBlock(topic, partition); place == nil || (place.Offset != end && place.Offset+end != -1) {
			must(fmt.Errorf("partition %d ends at %d, and committed is %v", partition, end, place))
		}
		sum += end
	}
	if sum < 3*messages {
		must(fmt.Errorf("the topic ends at %d", sum))
	}
	groups, err := admin.DescribeConsumerGroups([]string{name})
	must(err)
	if len(groups) != 1 || groups[0].State != "Empty" {
		must(fmt.Errorf("the group is %v", groups))
	}
	if err := admin.CreateTopic("mine", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err == nil {
		must(fmt.Errorf("a topic was made"))
	}
	must(admin.Close())
}
