-- KEYS: the session. ARGV: when it was seen, how long after its end Redis keeps it.
local head = redis.call('GETRANGE', KEYS[1], 0, 17)
if head == '' then return 0 end
local now, last, expires, idle = tonumber(ARGV[1]), struct.unpack('>I6I6I6', head)
if now <= last or now >= last + idle then return 0 end
redis.call('SETRANGE', KEYS[1], 0, struct.pack('>I6', now))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.min(expires, now + idle) + tonumber(ARGV[2])))
return 1
