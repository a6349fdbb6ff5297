package main

import (
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"pabal.bench/measure"
)

// consumer consumes on one connection and channel, in one goroutine: acks leave when what was received is read.
type consumer struct {
	conn      *conn
	options   *options
	queue     string
	received  atomic.Int64
	redone    atomic.Int64 // Delivered again.
	lastNs    atomic.Int64 // When everything that had come was handled, most recently.
	latency   measure.Histogram
	measuring *atomic.Bool
}

func newConsumer(o *options, queue string, measuring *atomic.Bool) (*consumer, error) {
	c, err := dial(o.uri)
	if err != nil {
		return nil, err
	}
	if err := c.openChannel(1); err != nil {
		return nil, err
	}
	if o.prefetch > 0 {
		if err := c.call(1, newMethod(basicQos).long(0).short(uint16(o.prefetch)).octet(0), basicQosOk); err != nil {
			return nil, err
		}
	}
	return &consumer{conn: c, options: o, queue: queue, measuring: measuring}, nil
}

func (c *consumer) run() error {
	var flags byte
	if c.options.autoAck {
		flags = 2
	}
	consume := newMethod(basicConsume).short(0).shortstr(c.queue).shortstr("").octet(flags).table(c.options.consumeArguments)
	// Deliveries may come in the same segment as consume-ok: all are read by the loop.
	if err := c.conn.send(1, consume); err != nil {
		return err
	}
	err := c.read()
	if errors.Is(err, net.ErrClosed) || c.options.stopping.Load() {
		return nil
	}
	return err
}

func (c *consumer) read() error {
	acks := make([]byte, 0, 64*1024)
	ackEvery := c.options.ackEvery
	var unacked int
	var lastTag, received int64
	var bodyLeft int64
	var isStamped bool
	for {
		isDrained := c.conn.reader.Buffered() < 7
		if isDrained && received > 0 {
			c.lastNs.Store(time.Now().UnixNano())
		}
		// Everything that has come is handled: the acks go out before the next read can block.
		if len(acks) > 0 && (isDrained || len(acks) > 32*1024) {
			if _, err := c.conn.Write(acks); err != nil {
				return err
			}
			acks = acks[:0]
		}
		kind, _, payload, err := c.conn.readFrame()
		if err != nil {
			return err
		}
		isWhole := false
		switch kind {
		case frameMethod:
			id := binary.BigEndian.Uint32(payload)
			if id != basicDeliver {
				if err := closeError(id, payload); err != nil {
					return err
				}
				continue
			}
			at := 5 + int(payload[4])
			lastTag = int64(binary.BigEndian.Uint64(payload[at:]))
			if payload[at+8] != 0 {
				c.redone.Add(1)
			}
		case frameHeader:
			bodyLeft = int64(binary.BigEndian.Uint64(payload[4:]))
			isStamped = false
			isWhole = bodyLeft == 0
		case frameBody:
			if !isStamped && len(payload) >= 8 {
				isStamped = true
				if c.measuring.Load() {
					c.latency.Add(time.Now().UnixNano() - int64(binary.BigEndian.Uint64(payload)))
				}
			}
			bodyLeft -= int64(len(payload))
			isWhole = bodyLeft == 0
		}
		if !isWhole {
			continue
		}
		received++
		c.received.Store(received)
		unacked++
		if !c.options.autoAck && unacked >= ackEvery {
			acks = appendAck(acks, lastTag, unacked > 1)
			unacked = 0
		}
	}
}

func appendAck(buf []byte, tag int64, isMultiple bool) []byte {
	buf = append(buf, frameMethod, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80)
	buf = binary.BigEndian.AppendUint64(buf, uint64(tag))
	if isMultiple {
		return append(buf, 1, frameEnd)
	}
	return append(buf, 0, frameEnd)
}
