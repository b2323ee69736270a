// What a user may set, and what the strategy sets itself: whatever the grid of settings allows to be changed after
// SetDefaults is set once more in Configure, since each of these changes what a fill or a loss of the connection does.
using System;
using System.Collections.Generic;
using System.ComponentModel.DataAnnotations;
using System.IO;
using NinjaTrader.Cbi;
using NinjaTrader.Data;
using NinjaTrader.NinjaScript;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public partial class RLTraderStrategy
    {
        private const string First = "RLTrader", Money = "RLTrader: limits", News = "RLTrader: news";

        [NinjaScriptProperty]
        [Display(Name = "Bundle folder", Description = "Folder that `rltrader export` wrote", Order = 1,
            GroupName = First)]
        public string BundleFolder { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Log folder", Order = 2, GroupName = First,
            Description = "Decisions go here, a new file at every load; empty: rltrader in NinjaTrader's own folder")]
        public string LogFolder { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Shadow mode", Description = "Decide and log, but send no order", Order = 3, GroupName = First)]
        public bool Shadow { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Allow live accounts", Order = 4, GroupName = First,
            Description = "Otherwise only simulation and playback are traded")]
        public bool AllowLiveAccounts { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Allowed accounts", Order = 5, GroupName = First,
            Description = "Exact names, comma-separated; a live account has to be among them")]
        public string AllowedAccounts { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Flatten at the start", Order = 6, GroupName = First,
            Description = "Close what the account already holds of the instrument; otherwise it blocks")]
        public bool FlattenOnStart { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Flatten at the end", Order = 7, GroupName = First,
            Description = "Close an open trade when the strategy is disabled or stopped")]
        public bool FlattenOnStop { get; set; }

        [NinjaScriptProperty]
        [Range(1, 60)]
        [Display(Name = "Minutes before the session's end", Order = 1, GroupName = Money,
            Description = "By then everything is closed")]
        public int MinutesBeforeEnd { get; set; }

        [NinjaScriptProperty]
        [Range(0, double.MaxValue)]
        [Display(Name = "Daily loss limit", Description = "Dollars; 0 is none", Order = 2, GroupName = Money)]
        public double DailyLossLimit { get; set; }

        [NinjaScriptProperty]
        [Range(0, double.MaxValue)]
        [Display(Name = "Floor: starting balance", Order = 3, GroupName = Money,
            Description = "Dollars with which the account began; the policy's own drawdown floor trails it; 0 is none")]
        public double FloorStart { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Kill switch", Order = 4, GroupName = Money,
            Description = "A file; while it exists, trades are closed and none is opened")]
        public string KillFile { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Alert sound", Description = "A .wav file; empty is none", Order = 1, GroupName = News)]
        public string AlertSound { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Alert mail", Description = "An address; empty is none", Order = 2, GroupName = News)]
        public string AlertMail { get; set; }

        [NinjaScriptProperty]
        [Range(0, 1440)]
        [Display(Name = "Heartbeat minutes", Description = "Between signs of life in the log; 0 is none", Order = 3,
            GroupName = News)]
        public int HeartbeatMinutes { get; set; }

        [NinjaScriptProperty]
        [Display(Name = "Log backtests", Description = "A file for each iteration of the Strategy Analyzer", Order = 4,
            GroupName = News)]
        public bool LogBacktests { get; set; }

        private void SetDefaults()
        {
            Name = "RLTraderStrategy";
            Description = "Trades a policy exported by rltrader.";
            BundleFolder = LogFolder = AllowedAccounts = KillFile = AlertSound = AlertMail = "";
            Shadow = AllowLiveAccounts = FlattenOnStart = LogBacktests = false;
            FlattenOnStop = true;
            MinutesBeforeEnd = 2;
            DailyLossLimit = FloorStart = 0;
            HeartbeatMinutes = 5;
            SetPlatform();
        }

        // None of these is the user's to choose: the order handling is written for exactly these.
        private void SetPlatform()
        {
            Calculate = Calculate.OnBarClose;
            EntriesPerDirection = 1;
            EntryHandling = EntryHandling.AllEntries;
            StopTargetHandling = StopTargetHandling.ByStrategyPosition; // one stop and one target, amended by fills
            StartBehavior = StartBehavior.WaitUntilFlat;
            ConnectionLossHandling = ConnectionLossHandling.KeepRunning; // a restart would cancel the trade's stop
            RealtimeErrorHandling = RealtimeErrorHandling.StopCancelClose;
            IsExitOnSessionCloseStrategy = true;
            ExitOnSessionCloseSeconds = 30;
            IsUnmanaged = false;
            TimeInForce = TimeInForce.Gtc; // a stop outlives the day if all else fails
            BarsRequiredToTrade = 0;       // the stream counts its own bars, those of the session
        }

        // An account counts as simulated by its provider, never by its name, which anyone can choose.
        private bool Simulated
        {
            get
            {
                return Account != null
                    && (Account.Provider == Provider.Simulator || Account.Provider == Provider.Playback);
            }
        }

        private string Folder
        {
            get
            {
                if (!string.IsNullOrEmpty(LogFolder)) return LogFolder;
                return Path.Combine(NinjaTrader.Core.Globals.UserDataDir, "rltrader");
            }
        }

        private GuardSettings Limits()
        {
            GuardSettings limits = new GuardSettings();
            limits.MinutesBeforeEnd = MinutesBeforeEnd;
            limits.DailyLoss = DailyLossLimit;
            limits.KillFile = KillFile;
            if (Shadow || IsInStrategyAnalyzer) return limits;
            limits.FloorStart = FloorStart;
            if (FloorStart > 0) limits.FloorFile = Remembered("highest equity of " + Account.Name);
            if (DailyLossLimit > 0)
                limits.DayFile = Remembered("day of " + Instrument.MasterInstrument.Name + " on " + Account.Name);
            return limits;
        }

        private string Remembered(string name)
        {
            Directory.CreateDirectory(Folder);
            foreach (char c in Path.GetInvalidFileNameChars()) name = name.Replace(c, '_');
            return Path.Combine(Folder, name + ".txt");
        }
    }
}
