-- KEYS: a challenge or a held answer. ARGV: now.
local value = redis.call('GET', KEYS[1])
if not value or struct.unpack('>I6', value) <= tonumber(ARGV[1]) then return false end
redis.call('DEL', KEYS[1])
return value
