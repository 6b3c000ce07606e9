-- KEYS: the log, the session. ARGV after the log's: the id, the indexes' prefix.
local value = redis.call('GET', KEYS[2])
if not value then return false end
local name, index = log(), ARGV[5] .. subject(value)
redis.call('DEL', KEYS[2])
redis.call('ZREM', index, ARGV[4])
enter(name, ARGV[4])
return value
