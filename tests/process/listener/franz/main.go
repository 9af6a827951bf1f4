// What franz-go must be able to do at the listener with its defaults: go run . HOST:PORT NAME. It publishes, reads it back in
// a group, commits, and a second member of the group continues where the first was; and so does a third, after a restart of
// the node over which it has published. Says "begun" when the node may be stopped, "more" when it may be started again, and
// "all well" at the end.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "tradewind.stock.commands"
const view = "tradewind.views.stock"
const messages = 20

var ctx, _ = context.WithTimeout(context.Background(), 90*time.Second)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func client(address string, more ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(more, kgo.SeedBrokers(address))...)
	must(err)
	return client
}

func value(name string, n int) string { return fmt.Sprintf("%s-%d", name, n) }

func publish(address, name string, from int, published func()) {
	producer := client(address, kgo.DefaultProduceTopic(topic))
	for n := from; n < from+messages; n++ {
		must(producer.ProduceSync(ctx, kgo.KeyStringRecord(value(name, n), value(name, n))).FirstErr())
		published()
	}
	producer.Close()
}

// overARestart publishes while the node is stopped and started again.
func overARestart(address, name string, from int) {
	var count atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		publish(address, name, from, func() {
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
func read(address, name string, from int) {
	member := client(address, kgo.ConsumerGroup(name), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	missing := map[string]bool{}
	for n := from; n < from+messages; n++ {
		missing[value(name, n)] = true
	}
	for len(missing) > 0 {
		fetches := member.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			// The topic has the values of others too.
			if found := string(record.Value); strings.HasPrefix(found, name+"-") {
				var number int
				_, err := fmt.Sscanf(found[len(name)+1:], "%d", &number)
				must(err)
				if number < from {
					must(fmt.Errorf("%s comes again, though all before %d is committed", found, from))
				}
				delete(missing, found)
			}
		})
	}
	must(member.CommitUncommittedOffsets(ctx))
	member.Close()
}

// administer lists topics, their settings, where they end and what the group has committed; and may make no topic.
func administer(address, name string) {
	admin := kadm.NewClient(client(address))
	topics, err := admin.ListTopics(ctx)
	must(err)
	if !topics.Has(topic) || !topics.Has(view) {
		must(fmt.Errorf("topics are missing: %v", topics.Names()))
	}
	settings, err := admin.DescribeTopicConfigs(ctx, view)
	must(err)
	one, err := settings.On(view, nil)
	must(err)
	isCompacted := false
	for _, setting := range one.Configs {
		isCompacted = isCompacted || setting.Key == "cleanup.policy" && setting.MaybeValue() == "compact" &&
			setting.Source.String() == "DYNAMIC_TOPIC_CONFIG"
	}
	if !isCompacted {
		must(fmt.Errorf("that views are compacted is not listed: %v", one))
	}
	lags, err := admin.Lag(ctx, name)
	must(err)
	must(lags.Error())
	ends, err := admin.ListEndOffsets(ctx, topic)
	must(err)
	var sum int64
	ends.Each(func(end kadm.ListedOffset) { sum += end.Offset })
	if lag := lags[name]; lag.State != "Empty" || lag.Lag.Total() != 0 || sum < 3*messages {
		must(fmt.Errorf("the group is %s with a lag of %d, and the topic ends at %d", lag.State, lag.Lag.Total(), sum))
	}
	if made, err := admin.CreateTopic(ctx, 1, 1, nil, "mine"); err == nil {
		must(fmt.Errorf("a topic was made: %v", made))
	}
	admin.Close()
}

func main() {
	address, name := os.Args[1], os.Args[2]
	for part := range 2 {
		publish(address, name, part*messages, func() {})
		read(address, name, part*messages)
	}
	overARestart(address, name, 2*messages)
	read(address, name, 2*messages)
	administer(address, name)
	fmt.Println("all well")
}
