-- KEYS: the log. ARGV after the log's: the mark.
-- PERSIST changes nothing, but only a master that may write does it.
redis.call('PERSIST', KEYS[1])
local name = log()
publish(name, redis.call('HGET', KEYS[1], 'number') or '0', ARGV[4], '')
return 1
