-- The log of endings, before every script that enters something in it or tells
-- its place. KEYS[1] is the line's key; ARGV begins with the line's number, a
-- name for a new log, and the channel to publish on.
local line, candidate, channel = ARGV[1], ARGV[2], ARGV[3]

-- log is what this log is called. After FLUSHALL it is another one, and after a
-- failover or a restart too, since the last entries may have been lost.
local function log()
  local name = redis.call('HGET', KEYS[1], 'name')
  if not name then
    name = candidate
    redis.call('HSET', KEYS[1], 'name', name)
  end
  local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  return name .. '-' .. string.sub(server, 1, 16)
end

local function publish(name, number, mark, ids)
  redis.call('PUBLISH', channel, table.concat({line, name, number, mark, ids}, '|'))
end

-- enter comes after what ends the session: a full server lets a script go on
-- that has begun to write. What can fail on its own, log, comes before.
local function enter(name, ids)
  local number = redis.call('HINCRBY', KEYS[1], 'number', 1)
  publish(name, string.format('%.0f', number), '0', ids)
end
