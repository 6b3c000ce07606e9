-- KEYS: sessions. ARGV: how long after their end Redis keeps them, and when each was seen.
for i, key in ipairs(KEYS) do
  local head = redis.call('GETRANGE', key, 0, 17)
  if head ~= '' then
    local now, last, expires, idle = tonumber(ARGV[i + 1]), struct.unpack('>I6I6I6', head)
    if now > last and now < last + idle then
      redis.call('SETRANGE', key, 0, struct.pack('>I6', now))
      redis.call('PEXPIREAT', key, string.format('%.0f', math.min(expires, now + idle) + tonumber(ARGV[1])))
    end
  end
end
return 1
