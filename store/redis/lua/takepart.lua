-- ARGV: now, the part's name, its id.
local value = challenge()
if not value then return false end
local from, next, expires, id = part(value, ARGV[2])
if expires <= now or id ~= ARGV[3] then return false end
replace(value, from, next, '')
return string.sub(value, from, next - 1)
