-- KEYS[1]: a queue. KEYS[2]: a hash of all uploads, with the time at which each was created. KEYS[3]: how many bytes
-- they have together. ARGV[1]: the name of the upload.
local queue, uploads, total, name = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

-- Return how many bytes the queue has, its last piece, and how it has ended.
local function tail()
    local last = redis.call('XREVRANGE', queue, '+', '-', 'COUNT', 1)
    if #last == 0 then
        return 0, '', nil
    end
    local fields = {}
    for index = 1, #last[1][2], 2 do
        fields[last[1][2][index]] = last[1][2][index + 1]
    end
    local audio = fields['audio'] or ''
    return tonumber(fields['offset']) + #audio, audio, fields['end']
end
