-- Return the counts of a subject, KEYS[1], on all servers: name, count and details of each.

local args = cjson.decode(ARGV[1])
local _, all = counts_of(KEYS[1], args.lease_prefix)
return all
