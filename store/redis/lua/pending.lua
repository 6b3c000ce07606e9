-- KEYS: the challenge. ARGV: now, the key that would be pending.
-- The pending key follows a rest whose length stands behind the version.
local value, now = redis.call('GET', KEYS[1]), tonumber(ARGV[1])
if not value or struct.unpack('>I6', value) <= now then return false end
local at = 16 + struct.unpack('>I4', value, 12)
if struct.unpack('>I6', value, at) > now then return string.sub(value, at) end
redis.call('SET', KEYS[1], string.sub(value, 1, at - 1) .. ARGV[2], 'KEEPTTL')
return ARGV[2]
