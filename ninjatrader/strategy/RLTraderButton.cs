// A button on the chart that closes all and stops: the kill switch for a hand. By the help's page on
// usercontrolcollection a chart's controls belong to its own thread, and are taken away when the strategy ends. A
// strategy on no chart has no button; the kill switch's file works there too.
using System.Windows;
using System.Windows.Controls;
using RLTrader;

namespace NinjaTrader.NinjaScript.Strategies
{
    public partial class RLTraderStrategy
    {
        private Button button; // touched by the chart's thread alone

        private void ShowButton()
        {
            if (ChartControl == null) return;
            ChartControl.Dispatcher.InvokeAsync(() =>
            {
                if (run == null || button != null) return; // it ended in between
                button = new Button();
                button.Content = "RLTrader: close and stop";
                button.HorizontalAlignment = HorizontalAlignment.Left;
                button.VerticalAlignment = VerticalAlignment.Top;
                button.Click += Pressed;
                UserControlCollection.Add(button);
            });
        }

        private void HideButton()
        {
            if (ChartControl == null) return;
            ChartControl.Dispatcher.InvokeAsync(() =>
            {
                if (button == null) return;
                button.Click -= Pressed;
                UserControlCollection.Remove(button);
                button = null;
            });
        }

        private void Pressed(object sender, RoutedEventArgs e)
        {
            Run known = run;
            if (known == null) return;
            button.Content = "RLTrader: stopped";
            TriggerCustomEvent(state => known.Inbox.Do(known.Trader.StopByHand), null);
        }
    }
}
