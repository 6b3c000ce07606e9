-- ARGV: now, what the new factor is worth at most and by what the gate is passed.
local value = challenge()
if not value or struct.unpack('>Hc0', value, 13) ~= '' then return false end
replace(value, 12, 15, ARGV[2])
return 1
