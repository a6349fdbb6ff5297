package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is one HTTP connection that is kept alive: a request, its answer, the next. Both are built and read in place,
// because a general HTTP client would take more of the machine than the servers that are measured.
type client struct {
	address string
	conn    net.Conn
	out     []byte
	in      []byte
	// isClosing: the server said that it closes after its answer.
	isClosing bool
}

// Servers that look at no signature still read the region from where one stands.
const authorization = "AWS4-HMAC-SHA256 Credential=bench/20250101/us-east-1/sqs/aws4_request, " +
	"SignedHeaders=host;x-amz-date;x-amz-target, " +
	"Signature=0000000000000000000000000000000000000000000000000000000000000000"

const answerTimeout = 60 * time.Second

func newClient(address string) *client {
	return &client{address: address, in: make([]byte, 0, 32<<10)}
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) open() error {
	if c.conn != nil && !c.isClosing {
		return nil
	}
	c.close()
	conn, err := net.DialTimeout("tcp", c.address, 30*time.Second)
	if err != nil {
		return err
	}
	c.conn, c.isClosing = conn, false
	return nil
}

// call answers the body, which is only good until the next call.
func (c *client) call(action string, body []byte) ([]byte, error) {
	if err := c.send(action, body); err != nil {
		return nil, err
	}
	status, answer, err := c.receive()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if status != 200 {
		return nil, fmt.Errorf("%s: status %d: %.300s", action, status, answer)
	}
	return answer, nil
}

func (c *client) send(action string, body []byte) error {
	if err := c.open(); err != nil {
		return err
	}
	out := c.out[:0]
	out = append(out, "POST / HTTP/1.1\r\nHost: "...)
	out = append(out, c.address...)
	out = append(out, "\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20250101T000000Z\r\nAuthorization: "...)
	out = append(out, authorization...)
	out = append(out, "\r\nX-Amz-Target: AmazonSQS."...)
	out = append(out, action...)
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n\r\n"...)
	out = append(out, body...)
	c.out = out
	_, err := c.conn.Write(out)
	return err
}

func (c *client) receive() (int, []byte, error) {
	c.in = c.in[:0]
	if err := c.conn.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, nil, err
	}
	headEnd := -1
	for headEnd < 0 {
		if err := c.more(); err != nil {
			return 0, nil, err
		}
		headEnd = bytes.Index(c.in, []byte("\r\n\r\n"))
	}
	status, err := strconv.Atoi(string(c.in[9:12]))
	if err != nil {
		return 0, nil, fmt.Errorf("not HTTP: %.40q", c.in)
	}
	length := -1
	isChunked := false
	for _, line := range bytes.Split(c.in[:headEnd], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			isChunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			c.isClosing = bytes.EqualFold(value, []byte("close"))
		}
	}
	if isChunked {
		body, err := c.chunks(headEnd + 4)
		return status, body, err
	}
	if length < 0 {
		return 0, nil, errors.New("an answer without a length")
	}
	end := headEnd + 4 + length
	for len(c.in) < end {
		if err := c.more(); err != nil {
			return 0, nil, err
		}
	}
	return status, c.in[headEnd+4 : end], nil
}

// chunks puts the chunks that begin at an index together.
func (c *client) chunks(at int) ([]byte, error) {
	var body []byte
	for {
		end := bytes.Index(c.in[at:], []byte("\r\n"))
		if end < 0 {
			if err := c.more(); err != nil {
				return nil, err
			}
			continue
		}
		size, err := strconv.ParseInt(string(c.in[at:at+end]), 16, 32)
		if err != nil {
			return nil, err
		}
		begin := at + end + 2
		for len(c.in) < begin+int(size)+2 {
			if err := c.more(); err != nil {
				return nil, err
			}
		}
		if size == 0 {
			return body, nil
		}
		body = append(body, c.in[begin:begin+int(size)]...)
		at = begin + int(size) + 2
	}
}

// more reads what is there onto the end.
func (c *client) more() error {
	if cap(c.in)-len(c.in) < 4096 {
		larger := make([]byte, len(c.in), 2*cap(c.in)+4096)
		copy(larger, c.in)
		c.in = larger
	}
	n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	return err
}
