package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

var errForeign = errors.New("only root and the user that runs the gateway may ask this")

// callerOf asks the kernel who connected (SO_PEERCRED). The file's mode says
// the same; it is looked at twice, since modes get changed.
func callerOf(c net.Conn) (Caller, error) {
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return "", errForeign
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return "", err
	}
	var who *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { who, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, asked); err != nil {
		return "", err
	}
	if !trusted(who.Uid, os.Geteuid()) {
		return "", errForeign
	}
	return named(who.Uid), nil
}

// trusted are root and the gateway's own user.
func trusted(uid uint32, own int) bool { return uid == 0 || int(uid) == own }

func named(uid uint32) Caller {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return Caller(fmt.Sprintf("%s (uid %s)", u.Username, id))
	}
	return Caller("uid " + id)
}
