package main

// The part of AMQP 0-9-1 that a load generator needs, over raw frames: a general client library would take more
// processor time than the brokers that are measured.

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xce
	frameOverhead  = 8
)

// Class id << 16 | method id.
const (
	connectionStart   = 10<<16 | 10
	connectionStartOk = 10<<16 | 11
	connectionTune    = 10<<16 | 30
	connectionTuneOk  = 10<<16 | 31
	connectionOpen    = 10<<16 | 40
	connectionOpenOk  = 10<<16 | 41
	connectionClose   = 10<<16 | 50
	connectionCloseOk = 10<<16 | 51
	connectionBlocked = 10<<16 | 60
	connectionUnblock = 10<<16 | 61
	channelOpen       = 20<<16 | 10
	channelOpenOk     = 20<<16 | 11
	channelClose      = 20<<16 | 40
	channelCloseOk    = 20<<16 | 41
	exchangeDeclare   = 40<<16 | 10
	exchangeDeclareOk = 40<<16 | 11
	exchangeDelete    = 40<<16 | 20
	exchangeDeleteOk  = 40<<16 | 21
	queueDeclare      = 50<<16 | 10
	queueDeclareOk    = 50<<16 | 11
	queueBind         = 50<<16 | 20
	queueBindOk       = 50<<16 | 21
	queuePurge        = 50<<16 | 30
	queuePurgeOk      = 50<<16 | 31
	queueDelete       = 50<<16 | 40
	queueDeleteOk     = 50<<16 | 41
	basicQos          = 60<<16 | 10
	basicQosOk        = 60<<16 | 11
	basicConsume      = 60<<16 | 20
	basicConsumeOk    = 60<<16 | 21
	basicPublish      = 60<<16 | 40
	basicReturn       = 60<<16 | 50
	basicDeliver      = 60<<16 | 60
	basicAck          = 60<<16 | 80
	basicNack         = 60<<16 | 120
	confirmSelect     = 85<<16 | 10
	confirmSelectOk   = 85<<16 | 11
)

// method is a method frame that is being written: its arguments follow the ids.
type method struct{ buf []byte }

func newMethod(id uint32) *method {
	m := &method{buf: make([]byte, 0, 64)}
	return m.long(id)
}

func (m *method) octet(v byte) *method { m.buf = append(m.buf, v); return m }
func (m *method) short(v uint16) *method {
	m.buf = binary.BigEndian.AppendUint16(m.buf, v)
	return m
}
func (m *method) long(v uint32) *method {
	m.buf = binary.BigEndian.AppendUint32(m.buf, v)
	return m
}
func (m *method) shortstr(s string) *method {
	m.buf = append(m.buf, byte(len(s)))
	m.buf = append(m.buf, s...)
	return m
}
func (m *method) longstr(s string) *method {
	m.long(uint32(len(s)))
	m.buf = append(m.buf, s...)
	return m
}

// table writes text, booleans and integers.
func (m *method) table(values map[string]any) *method {
	start := len(m.buf)
	m.long(0)
	for name, value := range values {
		m.shortstr(name)
		switch v := value.(type) {
		case string:
			m.octet('S').longstr(v)
		case bool:
			m.octet('t')
			if v {
				m.octet(1)
			} else {
				m.octet(0)
			}
		case int64:
			m.octet('l')
			m.buf = binary.BigEndian.AppendUint64(m.buf, uint64(v))
		default:
			panic(fmt.Sprintf("no table value: %T", value))
		}
	}
	binary.BigEndian.PutUint32(m.buf[start:], uint32(len(m.buf)-start-4))
	return m
}

// appendFrame writes a whole frame behind what is in buf.
func appendFrame(buf []byte, kind byte, channel uint16, payload []byte) []byte {
	buf = append(buf, kind)
	buf = binary.BigEndian.AppendUint16(buf, channel)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(payload)))
	buf = append(buf, payload...)
	return append(buf, frameEnd)
}

// conn is one connection. It is used by one goroutine at a time until its owner splits reading and writing.
type conn struct {
	net.Conn
	reader   *bufio.Reader
	frameMax int
	scratch  []byte
}

// dial connects, logs in and opens the virtual host.
func dial(uri string) (*conn, error) {
	target, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	host := target.Host
	if target.Port() == "" {
		host = net.JoinHostPort(target.Hostname(), map[bool]string{true: "5671", false: "5672"}[target.Scheme == "amqps"])
	}
	var socket net.Conn
	if target.Scheme == "amqps" {
		socket, err = tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true})
	} else {
		socket, err = net.Dial("tcp", host)
	}
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: socket, reader: bufio.NewReaderSize(socket, 128*1024), frameMax: 131072}
	user, password, vhost := "guest", "guest", "/"
	if target.User != nil {
		user = target.User.Username()
		if given, ok := target.User.Password(); ok {
			password = given
		}
	}
	if path := strings.TrimPrefix(target.EscapedPath(), "/"); path != "" {
		if vhost, err = url.PathUnescape(path); err != nil {
			return nil, err
		}
	}
	if err := c.open(user, password, vhost); err != nil {
		socket.Close()
		return nil, err
	}
	return c, nil
}

func (c *conn) open(user, password, vhost string) error {
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	if _, err := c.expect(0, connectionStart); err != nil {
		return err
	}
	capabilities := newMethod(0)
	capabilities.buf = capabilities.buf[:0]
	capabilities.table(map[string]any{"basic.nack": true, "publisher_confirms": true, "consumer_cancel_notify": true, "connection.blocked": true})
	properties := []byte{0, 0, 0, 0}
	properties = append(properties, 12)
	properties = append(properties, "capabilities"...)
	properties = append(properties, 'F')
	properties = append(properties, capabilities.buf...)
	binary.BigEndian.PutUint32(properties, uint32(len(properties)-4))
	start := newMethod(connectionStartOk)
	start.buf = append(start.buf, properties...)
	start.shortstr("PLAIN").longstr("\x00" + user + "\x00" + password).shortstr("en_US")
	if err := c.send(0, start); err != nil {
		return err
	}
	tune, err := c.expect(0, connectionTune)
	if err != nil {
		return err
	}
	channelMax := binary.BigEndian.Uint16(tune)
	if offered := int(binary.BigEndian.Uint32(tune[2:])); offered != 0 && offered < c.frameMax {
		c.frameMax = offered
	}
	if err := c.send(0, newMethod(connectionTuneOk).short(channelMax).long(uint32(c.frameMax)).short(0)); err != nil {
		return err
	}
	if err := c.send(0, newMethod(connectionOpen).shortstr(vhost).shortstr("").octet(0)); err != nil {
		return err
	}
	_, err = c.expect(0, connectionOpenOk)
	return err
}

func (c *conn) openChannel(channel uint16) error {
	return c.call(channel, newMethod(channelOpen).shortstr(""), channelOpenOk)
}

// call sends a method and waits for its answer.
func (c *conn) call(channel uint16, m *method, answer uint32) error {
	if err := c.send(channel, m); err != nil {
		return err
	}
	_, err := c.expect(channel, answer)
	return err
}

func (c *conn) send(channel uint16, m *method) error {
	_, err := c.Write(appendFrame(nil, frameMethod, channel, m.buf))
	return err
}

// expect reads until the wanted method comes; other methods but closes are passed over.
func (c *conn) expect(channel uint16, want uint32) ([]byte, error) {
	for {
		kind, on, payload, err := c.readFrame()
		if err != nil {
			return nil, err
		}
		if kind != frameMethod {
			continue
		}
		id := binary.BigEndian.Uint32(payload)
		if id == want && on == channel {
			return payload[4:], nil
		}
		if err := closeError(id, payload); err != nil {
			return nil, err
		}
	}
}

// readFrame answers a payload that is good until the next call.
func (c *conn) readFrame() (kind byte, channel uint16, payload []byte, err error) {
	header, err := c.reader.Peek(7)
	if err != nil {
		return 0, 0, nil, err
	}
	kind, channel = header[0], binary.BigEndian.Uint16(header[1:])
	size := int(binary.BigEndian.Uint32(header[3:]))
	total := size + frameOverhead
	if total <= c.reader.Size() {
		whole, err := c.reader.Peek(total)
		if err != nil {
			return 0, 0, nil, err
		}
		if whole[total-1] != frameEnd {
			return 0, 0, nil, errors.New("a frame does not end with 0xCE")
		}
		c.reader.Discard(total)
		return kind, channel, whole[7 : total-1], nil
	}
	if size > 256<<20 {
		return 0, 0, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	if cap(c.scratch) < total {
		c.scratch = make([]byte, total)
	}
	whole := c.scratch[:total]
	for at := 0; at < total; {
		n, err := c.reader.Read(whole[at:])
		if err != nil {
			return 0, 0, nil, err
		}
		at += n
	}
	return kind, channel, whole[7 : total-1], nil
}

// closeError is what a close says; nil for other methods.
func closeError(id uint32, payload []byte) error {
	if id != connectionClose && id != channelClose {
		return nil
	}
	code := binary.BigEndian.Uint16(payload[4:])
	length := int(payload[6])
	return errors.New(strconv.Itoa(int(code)) + " " + string(payload[7:7+length]))
}
