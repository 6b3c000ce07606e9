-- A challenge's value begins with when it expires (6 bytes), how many attempts
-- were spent (4), the version (1), what a new factor is worth at most (1), and by
-- what the gate was passed, behind its length (2). Behind it stands all that
-- never changes, with its length (4), and then the parts: when one expires (6),
-- its name and its id with their lengths (2 each), and its data with theirs (4).
-- KEYS[1] is the challenge, ARGV[1] now.
local now = tonumber(ARGV[1])

-- challenge is the value, unless it expired or another version wrote it.
local function challenge()
  local value = redis.call('GET', KEYS[1])
  if not value then return nil end
  local expires, _, version = struct.unpack('>I6I4B', value)
  if expires > now and version == 2 then return value end
end

-- part is where the part of a name begins, where it ends, when it expires, and
-- its id. One that is not there begins and ends behind the others, and expired.
local function part(value, name)
  local _, _, at = struct.unpack('>Hc0I4c0', value, 13)
  while at <= #value do
    local expires, called, id, _, next = struct.unpack('>I6Hc0Hc0I4c0', value, at)
    if called == name then return at, next, expires, id end
    at = next
  end
  return at, at, 0, ''
end

-- replace puts something in place of what stands from one byte to before the next.
local function replace(value, from, next, by)
  redis.call('SET', KEYS[1], string.sub(value, 1, from - 1) .. by .. string.sub(value, next), 'KEEPTTL')
end
