-- KEYS: the notes of the nodes. ARGV: a node, its note, how long to keep it.
-- Returns the notes that are kept, of this node too.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], struct.pack('>I6', now + ARGV[3]) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local all, kept = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
	if struct.unpack('>I6', all[i + 1]) > now then
		kept[#kept + 1] = string.sub(all[i + 1], 7)
	else
		redis.call('HDEL', KEYS[1], all[i])
	end
end
return kept
