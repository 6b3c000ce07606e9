-- A session's value begins with when it was seen, when it expires, how long it
-- may be idle (milliseconds, 6 bytes each), the version of the rest (1 byte),
-- and its subject (2 bytes of length).
local function subject(value) return (struct.unpack('>Hc0', value, 20)) end

-- store puts a session there and in its subject's index, from which it removes
-- what Redis has removed. The index lives as long as its last session.
local function store(session, index, value, keep, id, last)
  redis.call('SET', session, value, 'PXAT', keep)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', redis.call('TIME')[1])
  redis.call('ZADD', index, last, id)
  redis.call('EXPIREAT', index, redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2])
end
