-- ARGV: now, the part's name, the part.
local value = challenge()
if not value then return false end
local from, next = part(value, ARGV[2])
replace(value, from, next, ARGV[3])
return ARGV[3]
