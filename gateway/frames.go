package gateway

import (
	"encoding/binary"
	"errors"
)

// maxMessage is the largest message, in bytes, that a script can send over a
// WebSocket whose messages are looked into.
const maxMessage = 1 << 20

// errFrames: nobody could say what a console would read there.
var errFrames = errors.New("a WebSocket's message that cannot be looked into")

// frames reads what a client sends over a WebSocket (RFC 6455, section 5.2)
// while it passes. A message that allow refuses is never whole on the other
// side: its last bytes are not passed on.
type frames struct {
	allow func(message []byte) error

	head    []byte // of a frame, until it is whole
	mask    [4]byte
	at      int    // in the frame's payload
	left    uint64 // of it
	control bool
	final   bool
	within  bool // a message has begun and not ended
	message []byte
}

// read takes the next bytes. Where nothing is looked for, all pass.
func (f *frames) read(p []byte) error {
	if f == nil {
		return nil
	}
	for len(p) > 0 {
		if f.left == 0 {
			f.head, p = append(f.head, p[0]), p[1:]
			if len(f.head) < f.headLength() {
				continue
			}
			if err := f.begin(); err != nil {
				return err
			}
		} else {
			n := min(f.left, uint64(len(p)))
			f.take(p[:n])
			p = p[n:]
		}
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

// headLength is how long the frame's head is, as far as that can be told yet.
func (f *frames) headLength() int {
	if len(f.head) < 2 {
		return 2
	}
	length := 2
	switch f.head[1] & 0x7f {
	case 126:
		length += 2
	case 127:
		length += 8
	}
	if f.head[1]&0x80 != 0 {
		length += 4
	}
	return length
}

// maxControl is the longest payload of a control frame (RFC 6455, section 5.5).
const maxControl = 125

// begin reads a whole head. Extensions were not offered to the console, so
// their bits say nothing that both sides know.
func (f *frames) begin() error {
	opcode := f.head[0] & 0x0f
	f.final, f.control = f.head[0]&0x80 != 0, opcode >= 8
	f.left, f.at, f.mask = f.length(), 0, [4]byte{}
	if f.head[1]&0x80 != 0 {
		copy(f.mask[:], f.head[len(f.head)-4:])
	}
	reserved := f.head[0]&0x70 != 0
	f.head = f.head[:0]
	begins := opcode != 0
	switch {
	case f.control && (reserved || !f.final || f.left > maxControl):
		return errFrames // a console that takes it for something else finds messages in it
	case f.control:
		return nil
	case reserved || begins == f.within || f.left > maxMessage-uint64(len(f.message)):
		return errFrames
	}
	f.within = true
	return nil
}

func (f *frames) length() uint64 {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.head[2:])
	default:
		return uint64(n)
	}
}

func (f *frames) take(p []byte) {
	f.left -= uint64(len(p))
	if f.control {
		return
	}
	for _, b := range p {
		f.message = append(f.message, b^f.mask[f.at&3])
		f.at++
	}
}

// end judges the message that the frame was the last of.
func (f *frames) end() error {
	if f.left > 0 || f.control || !f.final || !f.within {
		return nil
	}
	err := f.allow(f.message)
	f.message, f.within = f.message[:0], false
	return err
}
