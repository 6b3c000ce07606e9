-- KEYS: the challenge. ARGV: now, how many attempts there are.
local head = redis.call('GETRANGE', KEYS[1], 0, 9)
if head == '' then return false end
local expires, spent = struct.unpack('>I6I4', head)
if expires <= tonumber(ARGV[1]) then return false end
if spent >= tonumber(ARGV[2]) then return -1 end
redis.call('SETRANGE', KEYS[1], 6, struct.pack('>I4', spent + 1))
return spent + 1
