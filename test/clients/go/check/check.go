// Package check runs a named check against a broker: `program BOOTSTRAP CHECK`.
package check

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Limit is how long a check waits for anything.
const Limit = 60 * time.Second

// Run calls the check that the command line names and exits with 1 and its error when it fails.
func Run(checks map[string]func(bootstrap string) error) {
	bootstrap, name := os.Args[1], os.Args[2]
	run, found := checks[name]
	if !found {
		fmt.Fprintln(os.Stderr, "no such check:", name)
		os.Exit(2)
	}
	if err := run(bootstrap); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// Topic returns a name that nobody else uses.
func Topic(client, name string) string {
	return fmt.Sprintf("%s-%s-%x", client, name, time.Now().UnixNano())
}

// WaitFor returns an error unless isDone comes true within the limit.
func WaitFor(what string, isDone func() bool) error {
	for end := time.Now().Add(Limit); !isDone(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not in time: %s", what)
		}
	}
	return nil
}

// Member is a consumer in a process of its own, so that it can be killed.
type Member struct {
	command  *exec.Cmd
	mutex    sync.Mutex
	assigned int
	values   map[string]bool
}

// StartMember runs this program as `BOOTSTRAP member` with the topic and group in the environment. A member prints
// `assigned N` when its assignment changes and `value V` for each value.
func StartMember(bootstrap, topic, group string) (*Member, error) {
	member := &Member{command: exec.Command(os.Args[0], bootstrap, "member"), values: map[string]bool{}}
	member.command.Env = append(os.Environ(), "TOPIC="+topic, "GROUP="+group)
	member.command.Stderr = os.Stderr
	output, err := member.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := member.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			member.mutex.Lock()
			if word == "assigned" {
				fmt.Sscan(rest, &member.assigned)
			} else if word == "value" {
				member.values[rest] = true
			}
			member.mutex.Unlock()
		}
	}()
	return member, nil
}

// Kill ends the member as SIGKILL does: without a word to the broker.
func (member *Member) Kill() {
	_ = member.command.Process.Kill()
	_ = member.command.Wait()
}

// Group starts three members over six partitions, kills one, and expects the others to read on.
func Group(bootstrap, topic, group string, produce func(values []string) error) error {
	var members []*Member
	for range 3 {
		member, err := StartMember(bootstrap, topic, group)
		if err != nil {
			return err
		}
		defer member.Kill()
		members = append(members, member)
	}
	if err := WaitFor("two partitions each", func() bool { return haveEach(members, 2) }); err != nil {
		return err
	}
	first := numbered("first", 600)
	if err := produce(first); err != nil {
		return err
	}
	if err := WaitFor("the first values", func() bool { return haveRead(members, first) }); err != nil {
		return err
	}
	members[0].Kill()
	if err := WaitFor("three partitions each", func() bool { return haveEach(members[1:], 3) }); err != nil {
		return err
	}
	second := numbered("second", 600)
	if err := produce(second); err != nil {
		return err
	}
	return WaitFor("the second values", func() bool { return haveRead(members[1:], second) })
}

func numbered(word string, count int) []string {
	values := make([]string, count)
	for index := range values {
		values[index] = fmt.Sprintf("%s-%d", word, index)
	}
	return values
}

func haveEach(members []*Member, count int) bool {
	for _, member := range members {
		member.mutex.Lock()
		assigned := member.assigned
		member.mutex.Unlock()
		if assigned != count {
			return false
		}
	}
	return true
}

func haveRead(members []*Member, values []string) bool {
	seen := map[string]bool{}
	for _, member := range members {
		member.mutex.Lock()
		for value := range member.values {
			seen[value] = true
		}
		member.mutex.Unlock()
	}
	for _, value := range values {
		if !seen[value] {
			return false
		}
	}
	return true
}
