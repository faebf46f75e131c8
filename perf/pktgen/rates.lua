-- What both scripts share: rates of 10 to 100 % of the line, and the loss at each.
local rates = {}

-- Sends from one port at rising rates and prints what arrived at the other.
function rates.rise(from, to, seconds)
    printf("%6s %14s %14s %10s\n", "rate", "sent", "received", "lost")
    for percent = 10, 100, 10 do
        pktgen.set(from, "rate", percent)
        pktgen.clear("all")
        pktgen.start(from)
        pktgen.delay(seconds * 1000)
        pktgen.stop(from)
        pktgen.delay(500)
        local stats = pktgen.portStats("all", "port")
        local sent = stats[tonumber(from)].opackets
        local received = stats[tonumber(to)].ipackets
        printf("%5d%% %14d %14d %10d\n", percent, sent, received, sent - received)
    end
end

return rates
