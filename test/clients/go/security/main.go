// Command security logs in and uses ACLs with franz-go.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"pabal.test/clients/check"
)

func main() {
	check.Run(map[string]func(string) error{
		"plain":       func(at string) error { return login(at, plain.Auth{User: "app", Pass: password}.AsMechanism()) },
		"scram256":    func(at string) error { return login(at, scramOf("app", password).AsSha256Mechanism()) },
		"scram512":    func(at string) error { return login(at, scramOf("app", password).AsSha512Mechanism()) },
		"token":       func(at string) error { return login(at, oauth.Auth{Token: os.Getenv("SECURITY_TOKEN")}.AsMechanism()) },
		"certificate": func(at string) error { return login(at, nil) },
		"wrong":       wrong,
		"acls":        acls,
		"credentials": credentials,
	})
}

var password = os.Getenv("SECURITY_PASSWORD")

func scramOf(user, secret string) scram.Auth {
	return scram.Auth{User: user, Pass: secret}
}

func withLimit() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), check.Limit)
}

// Without a mechanism it is the certificate that says who it is.
func dial(bootstrap string, mechanism sasl.Mechanism, options ...kgo.Opt) (*kgo.Client, error) {
	authority, err := os.ReadFile(os.Getenv("SECURITY_AUTHORITY"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if mechanism == nil {
		pair, err := tls.LoadX509KeyPair(os.Getenv("SECURITY_CERTIFICATE"), os.Getenv("SECURITY_KEY"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	} else {
		options = append(options, kgo.SASL(mechanism))
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: config}
	options = append(options, kgo.SeedBrokers(bootstrap), kgo.Dialer(dialer.DialContext))
	return kgo.NewClient(options...)
}

func newTopic(bootstrap string, mechanism sasl.Mechanism) (string, error) {
	client, err := dial(bootstrap, mechanism)
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := withLimit()
	defer cancel()
	topic := check.Topic("franz", "security")
	_, err = kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, topic)
	return topic, err
}

func produce(bootstrap string, mechanism sasl.Mechanism, topic string) error {
	client, err := dial(bootstrap, mechanism)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := withLimit()
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("value")}).FirstErr()
}

func readOne(bootstrap string, mechanism sasl.Mechanism, topic, group string) error {
	client, err := dial(bootstrap, mechanism, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := withLimit()
	defer cancel()
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		if fetches.NumRecords() > 0 {
			return nil
		}
	}
}

func login(bootstrap string, mechanism sasl.Mechanism) error {
	topic, err := newTopic(bootstrap, mechanism)
	if err != nil {
		return err
	}
	if err := produce(bootstrap, mechanism, topic); err != nil {
		return err
	}
	return readOne(bootstrap, mechanism, topic, topic+"-group")
}

func wrong(bootstrap string) error {
	for _, mechanism := range []sasl.Mechanism{
		plain.Auth{User: "app", Pass: "wrong"}.AsMechanism(),
		scramOf("app", "wrong").AsSha512Mechanism(),
	} {
		client, err := dial(bootstrap, mechanism)
		if err != nil {
			return err
		}
		ctx, cancel := withLimit()
		err = client.Ping(ctx)
		cancel()
		client.Close()
		if !errors.Is(err, kerr.SaslAuthenticationFailed) {
			return fmt.Errorf("a wrong password: %w", err)
		}
	}
	return nil
}

func acls(bootstrap string) error {
	root := scramOf("app", password).AsSha256Mechanism()
	limited := scramOf("limited", password).AsSha256Mechanism()
	topic, err := newTopic(bootstrap, root)
	if err != nil {
		return err
	}
	if err := produce(bootstrap, limited, topic); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		return fmt.Errorf("producing without a right: %w", err)
	}
	client, err := dial(bootstrap, root)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := withLimit()
	defer cancel()
	rights := kadm.NewACLs().Allow("User:limited").AllowHosts("*").Topics(topic).
		ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpWrite, kadm.OpRead)
	created, err := admin.CreateACLs(ctx, rights)
	if err != nil {
		return err
	}
	for _, one := range created {
		if one.Err != nil {
			return one.Err
		}
	}
	if err := produce(bootstrap, limited, topic); err != nil {
		return err
	}
	group := topic + "-group"
	if err := readOne(bootstrap, limited, topic, group); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		return fmt.Errorf("reading without a right to the group: %w", err)
	}
	prefix := kadm.NewACLs().Allow("User:limited").AllowHosts("*").Groups(strings.TrimSuffix(group, "group")).
		ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpRead)
	if _, err := admin.CreateACLs(ctx, prefix); err != nil {
		return err
	}
	if err := readOne(bootstrap, limited, topic, group); err != nil {
		return err
	}
	described, err := admin.DescribeACLs(ctx, rights)
	if err != nil {
		return err
	}
	count := 0
	for _, result := range described {
		count += len(result.Described)
	}
	if count != 2 {
		return fmt.Errorf("%d ACLs of 2 are described", count)
	}
	if _, err := admin.DeleteACLs(ctx, rights); err != nil {
		return err
	}
	if err := produce(bootstrap, limited, topic); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		return fmt.Errorf("producing without a right that was there: %w", err)
	}
	return nil
}

func credentials(bootstrap string) error {
	client, err := dial(bootstrap, scramOf("app", password).AsSha512Mechanism())
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := withLimit()
	defer cancel()
	user := check.Topic("franz", "user")
	altered, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{
		{User: user, Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "a new password"},
	})
	if err != nil {
		return err
	}
	if err := altered[user].Err; err != nil {
		return err
	}
	made, err := dial(bootstrap, scramOf(user, "a new password").AsSha256Mechanism())
	if err != nil {
		return err
	}
	defer made.Close()
	if err := made.Ping(ctx); err != nil {
		return err
	}
	described, err := admin.DescribeUserSCRAMs(ctx, user)
	if err != nil {
		return err
	}
	if infos := described[user].CredInfos; len(infos) != 1 || infos[0].Iterations != 4096 {
		return fmt.Errorf("described: %v", infos)
	}
	deleted, err := admin.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: user, Mechanism: kadm.ScramSha256}}, nil)
	if err != nil {
		return err
	}
	return deleted[user].Err
}
