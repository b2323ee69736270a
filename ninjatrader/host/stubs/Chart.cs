// What a strategy of this project uses of a chart: its thread, and the controls that may be laid upon it. By the help's
// page on usercontrolcollection; the types of System.Windows are those of .NET's own desktop library, of which only
// the members that are used stand here.
using System;
using System.Collections.ObjectModel;

namespace System.Windows
{
    /// <summary>.NET: System.Windows.HorizontalAlignment.</summary>
    public enum HorizontalAlignment { Left, Center, Right, Stretch }

    /// <summary>.NET: System.Windows.VerticalAlignment.</summary>
    public enum VerticalAlignment { Top, Center, Bottom, Stretch }

    /// <summary>.NET: System.Windows.RoutedEventArgs.</summary>
    public class RoutedEventArgs : EventArgs { }

    /// <summary>.NET: System.Windows.RoutedEventHandler.</summary>
    public delegate void RoutedEventHandler(object sender, RoutedEventArgs e);

    /// <summary>.NET: System.Windows.FrameworkElement.</summary>
    public class FrameworkElement
    {
        public HorizontalAlignment HorizontalAlignment { get; set; }
        public VerticalAlignment VerticalAlignment { get; set; }
    }
}

namespace System.Windows.Controls
{
    /// <summary>.NET: System.Windows.Controls.Button.</summary>
    public class Button : FrameworkElement
    {
        public object Content { get; set; }
        public event RoutedEventHandler Click;

        internal bool Heard { get { return Click != null; } }
        internal void Press() { if (Click != null) Click(this, new RoutedEventArgs()); }
    }
}

namespace System.Windows.Threading
{
    /// <summary>.NET: System.Windows.Threading.DispatcherOperation.</summary>
    public sealed class DispatcherOperation { }

    /// <summary>.NET: System.Windows.Threading.Dispatcher. What is given comes later, on the chart's thread.</summary>
    public sealed class Dispatcher
    {
        internal Action<Action> Queue = work => work();

        public DispatcherOperation InvokeAsync(Action callback)
        {
            Queue(callback);
            return new DispatcherOperation();
        }
    }
}

namespace NinjaTrader.Gui.Chart
{
    /// <summary>help: chartcontrol, usercontrolcollection. A strategy that is on no chart has none.</summary>
    public sealed class ChartControl
    {
        public readonly System.Windows.Threading.Dispatcher Dispatcher = new System.Windows.Threading.Dispatcher();

        internal readonly ObservableCollection<System.Windows.FrameworkElement> Controls =
            new ObservableCollection<System.Windows.FrameworkElement>();
    }
}
