//go:build !linux

package admin

import (
	"fmt"
	"net"
	"os/user"
)

// callerOf names the user that runs the gateway: the file's mode lets nobody
// else connect but the system's administrator.
func callerOf(net.Conn) (Caller, error) {
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	return Caller(fmt.Sprintf("%s (uid %s), or the system's administrator", u.Username, u.Uid)), nil
}
