-- KEYS: the log. ARGV after the log's: the mark.
local name = log()
publish(name, redis.call('HGET', KEYS[1], 'number') or '0', ARGV[4], '')
return 1
