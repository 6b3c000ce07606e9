-- KEYS: the log, the old session, the new one, its subject's index.
-- ARGV after the log's: the old id, the indexes' prefix, then as in create.
local old = redis.call('GET', KEYS[2])
if not old then return false end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return redis.error_reply('INUSE the id is in use')
end
local name, index = log(), ARGV[5] .. subject(old)
redis.call('DEL', KEYS[2])
redis.call('ZREM', index, ARGV[4])
store(KEYS[3], KEYS[4], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
enter(name, ARGV[4])
return 1
