package main

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"pabal.bench/measure"
)

// publisher publishes on one connection and channel. One goroutine writes, one reads confirms.
type publisher struct {
	conn     *conn
	options  *options
	key      string
	rate     float64 // Messages a second; 0: as fast as the window allows.
	share    int64   // Messages to publish; 0: until stopped.
	template []byte  // One message: method, header and body frames.
	stampAt  int     // Position of the body's first byte in it; -1 where the body is too small.

	sent      atomic.Int64
	confirmed atomic.Int64
	nacked    atomic.Int64
	returned  atomic.Int64
	latency   measure.Histogram // Of confirms; owned by the reader.
	measuring *atomic.Bool

	stamps []int64 // When each unconfirmed message was sent, by sequence number modulo the window.
	mutex  sync.Mutex
	wake   *sync.Cond
	failed error
}

func newPublisher(o *options, key string, rate float64, share int64, measuring *atomic.Bool) (*publisher, error) {
	c, err := dial(o.uri)
	if err != nil {
		return nil, err
	}
	p := &publisher{conn: c, options: o, key: key, rate: rate, share: share, measuring: measuring}
	p.wake = sync.NewCond(&p.mutex)
	if err := c.openChannel(1); err != nil {
		return nil, err
	}
	if o.confirm > 0 {
		if err := c.call(1, newMethod(confirmSelect).octet(0), confirmSelectOk); err != nil {
			return nil, err
		}
		p.stamps = make([]int64, o.confirm)
	}
	p.template, p.stampAt = buildMessage(o, key, c.frameMax)
	return p, nil
}

// buildMessage lays out the frames of one message, and says where its body begins.
func buildMessage(o *options, key string, frameMax int) ([]byte, int) {
	var mandatory byte
	if o.mandatory {
		mandatory = 1
	}
	publish := newMethod(basicPublish).short(0).shortstr(o.exchange).shortstr(key).octet(mandatory)
	frames := appendFrame(nil, frameMethod, 1, publish.buf)
	header := newMethod(60 << 16)
	header.buf = binary.BigEndian.AppendUint64(header.buf, uint64(o.size))
	const contentType, deliveryMode = 1 << 15, 1 << 12
	header.short(contentType | deliveryMode).shortstr("application/octet-stream")
	if o.persistent {
		header.octet(2)
	} else {
		header.octet(1)
	}
	frames = appendFrame(frames, frameHeader, 1, header.buf)
	stampAt := -1
	if o.size >= 8 {
		stampAt = len(frames) + 7
	}
	body := make([]byte, o.size)
	for i := range body {
		body[i] = byte('a' + i%26)
	}
	for at := 0; at < len(body); {
		n := min(len(body)-at, frameMax-frameOverhead)
		frames = appendFrame(frames, frameBody, 1, body[at:at+n])
		at += n
	}
	return frames, stampAt
}

// run publishes until `stop` is set or its share is done, and then waits for the confirms.
func (p *publisher) run(stop *atomic.Bool) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.read(); err != nil {
			p.fail(err)
		}
	}()
	err := p.write(stop)
	if err == nil && p.options.confirm > 0 {
		deadline := time.Now().Add(30 * time.Second)
		for p.error() == nil && p.confirmed.Load()+p.nacked.Load() < p.sent.Load() && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
	}
	if err == nil {
		err = p.error()
	}
	p.conn.Close()
	<-done
	return err
}

func (p *publisher) write(stop *atomic.Bool) error {
	window := int64(p.options.confirm)
	perWrite := int64(max(1, min(p.options.batch, 256*1024/len(p.template)+1)))
	buf := make([]byte, 0, perWrite*int64(len(p.template)))
	begun := time.Now()
	var sent int64
	wasHeld := false
	for !stop.Load() && (p.share == 0 || sent < p.share) {
		n := perWrite
		if p.share > 0 {
			n = min(n, p.share-sent)
		}
		var dueAt time.Time
		if p.rate > 0 {
			dueAt = begun.Add(time.Duration(float64(sent) / p.rate * 1e9))
			if wait := time.Until(dueAt); wait > 0 {
				time.Sleep(wait)
				wasHeld = false
				continue
			}
			n = max(1, min(n, int64(time.Since(begun).Seconds()*p.rate)-sent))
		}
		if window > 0 {
			free, err := p.waitForWindow(sent, window, stop)
			if err != nil {
				return err
			}
			if free == 0 {
				continue
			}
			if p.rate > 0 && free < n {
				wasHeld = true
			}
			n = min(n, free)
		}
		now := time.Now().UnixNano()
		buf = buf[:0]
		for i := int64(0); i < n; i++ {
			stamp := now
			// What the broker's slowness held back counts from when it was due.
			if wasHeld {
				stamp = min(now, begun.Add(time.Duration(float64(sent+i)/p.rate*1e9)).UnixNano())
			}
			at := len(buf)
			buf = append(buf, p.template...)
			if p.stampAt >= 0 {
				binary.BigEndian.PutUint64(buf[at+p.stampAt:], uint64(stamp))
			}
			if window > 0 {
				p.stamps[(sent+i)%window] = stamp
			}
		}
		sent += n
		p.sent.Store(sent)
		if _, err := p.conn.Write(buf); err != nil {
			if failure := p.error(); failure != nil {
				return failure
			}
			return err
		}
	}
	return nil
}

// waitForWindow answers how many messages may be sent; 0 when it is time to stop.
func (p *publisher) waitForWindow(sent, window int64, stop *atomic.Bool) (int64, error) {
	free := func() int64 { return window - (sent - p.confirmed.Load() - p.nacked.Load()) }
	if n := free(); n > 0 {
		return n, nil
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for {
		if p.failed != nil {
			return 0, p.failed
		}
		if n := free(); n > 0 {
			return n, nil
		}
		if stop.Load() {
			return 0, nil
		}
		p.wake.Wait()
	}
}

func (p *publisher) read() error {
	window := int64(p.options.confirm)
	var settled int64 // All up to here, in order.
	var early map[int64]bool
	for {
		kind, _, payload, err := p.conn.readFrame()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || p.options.stopping.Load() {
				return nil
			}
			return err
		}
		if kind != frameMethod {
			continue
		}
		id := binary.BigEndian.Uint32(payload)
		switch id {
		case basicAck, basicNack:
			tag := int64(binary.BigEndian.Uint64(payload[4:]))
			isMultiple := payload[12]&1 == 1
			first := tag
			if isMultiple {
				first = settled + 1
			}
			now := time.Now().UnixNano()
			var n int64
			for each := first; each <= tag; each++ {
				if early[each] {
					continue
				}
				n++
				if p.measuring.Load() {
					p.latency.Add(now - p.stamps[(each-1)%window])
				}
			}
			if first == settled+1 {
				for each := first; each <= tag; each++ {
					delete(early, each)
				}
				settled = tag
				for len(early) > 0 && early[settled+1] {
					settled++
					delete(early, settled)
				}
			} else {
				if early == nil {
					early = map[int64]bool{}
				}
				early[tag] = true
			}
			if id == basicAck {
				p.confirmed.Add(n)
			} else {
				p.nacked.Add(n)
			}
			if p.conn.reader.Buffered() < 7 {
				p.mutex.Lock()
				p.wake.Signal()
				p.mutex.Unlock()
			}
		case basicReturn:
			p.returned.Add(1)
		default:
			if err := closeError(id, payload); err != nil {
				return err
			}
		}
	}
}

func (p *publisher) fail(err error) {
	p.mutex.Lock()
	p.failed = err
	p.wake.Broadcast()
	p.mutex.Unlock()
}

func (p *publisher) error() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.failed
}
