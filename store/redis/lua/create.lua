-- KEYS: the session, its subject's index.
-- ARGV: value, when Redis may remove it, id, the same for the index (seconds).
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('INUSE the id is in use')
end
store(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return 1
