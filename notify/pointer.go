package notify

import (
	"encoding/json"
	"strconv"
	"strings"
)

// at is what stands at a JSON pointer (RFC 6901), as text; "" if nothing, an
// object or a list does.
func at(document []byte, pointer string) string {
	var v any
	d := json.NewDecoder(strings.NewReader(string(document)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return ""
	}
	for _, step := range strings.Split(pointer, "/")[1:] {
		v = child(v, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func child(v any, step string) any {
	switch node := v.(type) {
	case map[string]any:
		return node[step]
	case []any:
		if i, err := strconv.Atoi(step); err == nil && 0 <= i && i < len(node) {
			return node[i]
		}
	}
	return nil
}
