-- Only a master knows what ended, and it has to have the replicas that it wants.
-- PERSIST changes nothing here and is refused like any write. A disk that is
-- full lets nothing change, so that what is there may be read.
local writable = redis.pcall('PERSIST', KEYS[1])
if type(writable) == 'table' and not string.find(writable.err, 'MISCONF') then return writable end
