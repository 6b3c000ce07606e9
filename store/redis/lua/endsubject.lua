-- KEYS: the log, the subject's index. ARGV after the log's: the sessions' prefix.
local name, ended = log(), {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if redis.call('DEL', ARGV[4] .. id) == 1 then ended[#ended + 1] = id end
end
redis.call('DEL', KEYS[2])
if #ended > 0 then enter(name, table.concat(ended)) end
return ended
