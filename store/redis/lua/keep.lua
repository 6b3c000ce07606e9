-- ARGV: now, the part's name, the part.
local value = challenge()
if not value then return false end
local from, next, expires = part(value, ARGV[2])
if expires > now then return string.sub(value, from, next - 1) end
replace(value, from, next, ARGV[3])
return ARGV[3]
