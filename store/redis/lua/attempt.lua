-- KEYS: the challenge. ARGV: now, how many attempts there are.
local head = redis.call('GETRANGE', KEYS[1], 0, 10)
if head == '' then return false end
local expires, spent, version = struct.unpack('>I6I4B', head)
if expires <= tonumber(ARGV[1]) or version ~= 2 then return false end
if spent >= tonumber(ARGV[2]) then return -1 end
redis.call('SETRANGE', KEYS[1], 6, struct.pack('>I4', spent + 1))
return spent + 1
